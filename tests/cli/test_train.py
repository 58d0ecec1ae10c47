"""The commands train, evaluate, predict and score, with interruptions and mistakes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint
from sceneparse.artifacts.weights import read_weights
from sceneparse.system.stop_signals import stop_signals
from tests.cli.command import COMMAND, run_and_stop
from tests.cli.conftest import Cli


def test_a_run_writes_all_documented_files(
    rectangles_config: Path, cli: Cli, tmp_path: Path
) -> None:
    done = cli("train", rectangles_config, "report.tensorboard=true")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "rectangles"
    for name in (
        "config.yaml",
        "environment.json",
        "metrics.csv",
        "timing.csv",
        "model.safetensors",
        "labels.json",
        "checkpoints/step_000000024.pt",
        "predictions_initial.png",
        "predictions_epoch_002.png",
        "predictions_epoch_004.png",
        "predictions_final.png",
        "training_history.png",
        "model_progress.gif",
    ):
        assert (run / name).stat().st_size > 0, name
    assert list((run / "tensorboard").iterdir())
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert all(0 <= float(row["train_miou"]) <= 1 for row in rows)
    environment = json.loads((run / "environment.json").read_text())
    assert environment["seed"] == 0
    assert environment["packages"]["torch"]
    with Image.open(run / "model_progress.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 4


@pytest.mark.slow
def test_an_interrupted_run_resumes_to_the_same_result(
    rectangles_config: Path, cli: Cli, tmp_path: Path
) -> None:
    # Long enough to stop it in the middle on a busy machine.
    longer = ("training.epochs=10", "schedule.kind=one_cycle", "report.every=10")
    whole = cli("train", rectangles_config, *longer, "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(
        [COMMAND, "train", str(rectangles_config), *longer, "--out", "parts"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "parts" / "metrics.csv"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in output
    assert (tmp_path / "parts" / "training_history.png").stat().st_size > 0
    resumed = cli("train", rectangles_config, *longer, "--out", "parts", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert metrics.read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()
    states = [
        read_checkpoint(Checkpoints(tmp_path / name / "checkpoints").paths()[0])
        for name in ("whole", "parts")
    ]
    for part in ("segmenter", "optimizer"):
        assert_same(states[0][part], states[1][part])
    weights = [read_weights(tmp_path / name / "model.safetensors") for name in ("whole", "parts")]
    assert_same(weights[0].tensors, weights[1].tensors)


# With two processes, the launching process forwards the signal to both.
@pytest.mark.parametrize(
    ("name", "processes"),
    [
        ("SIGTERM", 1),
        ("SIGHUP", 1),
        ("SIGUSR1", 1),
        pytest.param("SIGUSR1", 2, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_receives_a_stop_signal_saves_its_state(
    name: str, processes: int, rectangles_config: Path, tmp_path: Path
) -> None:
    number = getattr(signal, name)
    if number not in stop_signals():
        pytest.skip(f"started with {name} ignored")
    metrics = tmp_path / "run" / "metrics.csv"

    def stop(pid: int) -> None:
        deadline = time.monotonic() + 120
        while not metrics.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(pid, number)

    endless = ("training.epochs=100000", "training.validate_every=50000", "report.every=50000")
    arguments = ("train", str(rectangles_config), *endless, f"training.processes={processes}")
    done = run_and_stop([*arguments, "--out", "run"], tmp_path, stop)
    assert (done.returncode, done.stderr) == (128 + number, "")
    assert done.stdout.count("stopped; the state is saved. Resume with:") == 1
    rows = metrics.read_text().count("\n") - 1
    last = Checkpoints(tmp_path / "run" / "checkpoints").paths()[0]
    assert read_checkpoint(last)["step"] >= 6 * rows > 0


def assert_same(one: object, other: object) -> None:
    """Compare nested states bit by bit."""
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert isinstance(other, list)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert one == other


@pytest.mark.slow
def test_evaluate_predict_and_score_agree(
    rectangles_config: Path, rectangles_root: Path, cli: Cli, tmp_path: Path
) -> None:
    assert cli("train", rectangles_config, "--out", "run").returncode == 0
    done = cli("evaluate", "run", "--json", "evaluated.json")
    assert done.returncode == 0, done.stderr
    assert "stretched to 32×32" in done.stdout
    images = rectangles_root / "images" / "validation"
    done = cli("predict", images, "--model", "run/model.safetensors", "--out", "out")
    assert done.returncode == 0, done.stderr
    for name in ("000.png", "000_color.png", "000_overlay.jpg", "000.json"):
        assert (tmp_path / "out" / name).is_file()
    with Image.open(tmp_path / "out" / "000.png") as image:
        assert image.size == (64, 48)
        mask = np.array(image)
    document = json.loads((tmp_path / "out" / "000.json").read_text())
    for entry in document["classes"]:
        assert entry["share"] == np.mean(mask == entry["id"])
    target = rectangles_root / "masks" / "validation"
    done = cli("score", "out", target, "--labels", "run/labels.json", "--json", "scored.json")
    assert done.returncode == 0, done.stderr
    evaluated, scored = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("evaluated", "scored")
    )
    for key in ("miou", "pixel_accuracy", "mean_accuracy", "fwiou", "classes_absent", "per_class"):
        assert evaluated[key] == scored[key]


def test_a_mistake_ends_with_one_message(
    rectangles_config: Path, rectangles_root: Path, fails: Callable[..., str], tmp_path: Path
) -> None:
    assert "did you mean `width`" in fails("train", rectangles_config, "model.wdth=4")
    assert "no such config file" in fails("train", "nothing.yaml")
    assert "nowhere" in fails("train", rectangles_config, "data.root=nowhere")
    assert "no such weights file" in fails("evaluate", "nothing")
    (tmp_path / "empty").mkdir()
    assert "a run writes it" in fails("evaluate", "empty")
    (tmp_path / "bad.safetensors").write_bytes(b"\x00" * 100)
    assert "broken" in fails("evaluate", "bad.safetensors")
    assert "not the folder of a run" in fails(
        "train", rectangles_config, "--resume", "--out", "empty"
    )
    assert "no images in this folder" in fails(
        "predict", "empty", "--model", "bad.safetensors", "--out", "out"
    )
    annotations = rectangles_root / "masks" / "validation"
    assert "no such labels file" in fails(
        "score", annotations, annotations, "--labels", "nothing.json"
    )
    assert "no such folder" in fails("score", "nowhere", annotations)


def test_a_broken_mask_among_the_drawn_samples_leaves_no_run_folder(
    rectangles_config: Path, rectangles_root: Path, fails: Callable[..., str], tmp_path: Path
) -> None:
    root = shutil.copytree(rectangles_root, tmp_path / "data")
    (mask,) = (root / "masks" / "validation").glob("000.png")
    Image.fromarray(np.full((48, 64), 99, np.uint8)).save(mask)
    message = fails("train", rectangles_config, f"data.root={root}", "--out", "run")
    assert "ids 99 are neither a class" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_wrong_uses_of_a_trained_model_are_refused(
    rectangles_config: Path,
    rectangles_root: Path,
    cli: Cli,
    fails: Callable[..., str],
    tmp_path: Path,
) -> None:
    assert cli("train", rectangles_config, "training.epochs=1", "--out", "run").returncode == 0
    images = rectangles_root / "images" / "validation"
    assert "choose another folder for the results (--out)" in fails(
        "predict", images, "--model", "run", "--out", images
    )
    assert "only takes overrides of `inference`" in fails("evaluate", "run", "model.width=2")
    once = ("predict", images / "000.png", "--model", "run", "--out", "out")
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(images / "000.png", tmp_path / "elsewhere")
    assert "would be a result of both" in fails(*once, tmp_path / "elsewhere" / "000.png")
    assert cli(*once).returncode == 0
    assert "1 images have results already" in cli(*once).stdout
    again = ("train", rectangles_config, "training.epochs=1", "seed=1", "--out", "other")
    assert cli(*again).returncode == 0
    shutil.copy(tmp_path / "other" / "model.safetensors", tmp_path / "run")
    message = fails(*once)
    assert "exists already, and is no result of this model" in message
    assert "allow overwriting, or choose another folder (--overwrite, --out)" in message
    assert "unknown; use auto, cpu" in fails("evaluate", "run", "--device", "gpu")


def test_a_run_trains_with_all_augmentations_and_refuses_a_contradiction(
    rectangles_config: Path, cli: Cli, fails: Callable[..., str], tmp_path: Path
) -> None:
    everything = (
        "transform={size: 32, scale: [0.5, 2], class_share: 0.75, rotation: 10, flip: 0.5, "
        "grey: 0.1, color_probability: 0.5, hue: 0.1, blur: 0.3, noise: 0.3, jpeg: 0.3, "
        "cutmix: 0.3, classmix: 0.3, copy_paste: 0.3, rare_below: 0.3}",
        "sampling.kind=class_balanced",
    )
    done = cli("train", rectangles_config, *everything, "training.epochs=1", "--out", "run")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1"]
    done = cli("evaluate", "run")
    assert done.returncode == 0, done.stderr
    message = fails("train", rectangles_config, "transform.cutmix=0.7", "transform.classmix=0.7")
    assert "cutmix, classmix and copy_paste add up to more than 1" in message
