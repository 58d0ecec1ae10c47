"""The `plan` command and a run of its config."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sceneparse.config.reading import config_document, read_config
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.planning.commented_yaml import commented_yaml
from tests.cli.command import run_command
from tests.cli.conftest import Cli

HOURS = "0.02"


@pytest.fixture(scope="module")
def planned(rectangles_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The config that `plan` writes for the rectangles, and what it prints."""
    folder = tmp_path_factory.mktemp("plan")
    arguments = ["plan", str(rectangles_root), "--hours", HOURS, "--out", "plan.yaml"]
    done = run_command(arguments, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "plan.yaml", done.stdout


@pytest.mark.slow
def test_the_planned_config_trains_unchanged(
    planned: tuple[Path, str], cli: Cli, tmp_path: Path
) -> None:
    path, _ = planned
    # The planned number of epochs would take the requested minute.
    done = cli("train", path, "training.epochs=2", "--out", "run")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    assert len(rows) == 2
    # The run measures nothing when it starts.
    assert "measured, in ms" not in done.stdout
    asked = config_document(read_config(path))
    ran = config_document(read_config(tmp_path / "run" / "config.yaml"))
    for document in (asked, ran):
        del document["training"]["epochs"]
    assert ran == asked


def test_the_number_of_steps_follows_the_measured_speed(planned: tuple[Path, str]) -> None:
    path, _ = planned
    config, text = read_config(path), path.read_text()
    found = re.search(r"Measured: (\d+) ms per step of (\d+) images, (\d+) steps", text)
    assert found
    step_ms, batch_size, steps = map(int, found.groups())
    assert config.training.batch_size == batch_size == 4
    assert steps == 6
    assert f"{config.training.epochs * steps} steps: what fits" in text
    share = re.search(r"training (\d+)%", text)
    assert share
    # The share of the requested time, up to the rounding in the text.
    expected = int(share[1]) / 100 * float(HOURS) * 3_600_000
    assert config.training.epochs * steps * step_ms == pytest.approx(expected, rel=0.15)


def test_the_file_states_the_reasons(planned: tuple[Path, str]) -> None:
    path, printed = planned
    config, text = read_config(path), path.read_text()
    assert isinstance(config.model, EncoderUNetModel)
    assert config.model.weights == "imagenet"
    assert config.transform.size == 64
    assert f"epochs: {config.training.epochs}  # " in text
    assert "24 images to train on, 6 to validate on, 4 classes" in text
    assert "sceneparse train plan.yaml" in printed
    assert commented_yaml(config, {}, "").count("\n") < text.count("\n")


def test_a_plan_that_cannot_be_made_is_refused_with_the_fix(
    rectangles_root: Path, fails: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 1\n")
    message = fails("plan", rectangles_root, "--hours", "1", "--out", "mine.yaml")
    assert "mine.yaml: exists already" in message
    assert "(--out)" in message
    assert (tmp_path / "mine.yaml").read_text() == "seed: 1\n"
    message = fails("plan", rectangles_root, "--hours", "1", "--out", "mine.yaml/plan.yaml")
    assert "mine.yaml: the folder cannot be created" in message
    message = fails("plan", tmp_path / "nowhere", "--hours", "1")
    assert "nowhere: no such folder" in message
