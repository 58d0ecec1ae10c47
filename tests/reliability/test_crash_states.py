"""Every state that a power cut may leave of a run resumes to the same run."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config.reading import read_config
from sceneparse.errors import InputError
from sceneparse.tasks.train import train
from tests.reliability.crash_states import DiskState, crash_states, replayed
from tests.reliability.file_operations import Operation, recorded_operations

OVERRIDES = ("training.epochs=2", "report.every=1", "training.threads=1", "model.width=2")


@pytest.fixture(scope="module")
def recorded(
    rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Operation], RunFolder]:
    """The operations of a run of two epochs, and its folder."""
    home = tmp_path_factory.mktemp("recorded")
    arguments = ["-m", "sceneparse", "train", rectangles_config, *OVERRIDES, "--out", "run"]
    operations = recorded_operations(arguments, home / "run", home)
    return operations, RunFolder(home / "run")


def results(folder: RunFolder) -> dict[str, bytes]:
    """Return what must be the same after a crash: weights, table and drawings."""
    drawn = sorted(folder.path.glob("predictions_*.png"))
    paths = [
        folder.weights,
        folder.metrics,
        folder.learning_curves,
        folder.progress_animation,
        *drawn,
    ]
    return {path.name: path.read_bytes() for path in paths}


def check(states: Sequence[DiskState], config: Path, whole: RunFolder, work: Path) -> int:
    """Resume the run in each state, compare the results, and return how many were resumed."""
    expected, resumed = results(whole), 0
    settings = read_config(config, list(OVERRIDES))
    for number, state in enumerate(states):
        folder = RunFolder(work / f"state{number}")
        state.write_to(folder.path)
        had_checkpoint = any(
            path.startswith("checkpoints/step_") and content
            for path, content in state.files.items()
        )
        if not had_checkpoint:
            # A run whose first checkpoint was not complete has not begun.
            with pytest.raises(InputError, match="start a new run"):
                train(settings, out=folder.path, resume=True)
            continue
        train(settings, out=folder.path, resume=True)
        resumed += 1
        found = results(folder)
        different = [name for name in expected | found if expected.get(name) != found.get(name)]
        assert different == [], state.how
        shutil.rmtree(folder.path)
    return resumed


@pytest.mark.slow
def test_a_run_goes_on_after_a_power_cut_at_a_sample_of_moments(
    recorded: tuple[list[Operation], RunFolder], rectangles_config: Path, tmp_path: Path
) -> None:
    operations, whole = recorded
    states = list(crash_states(operations))
    sample = states[:: len(states) // 8]
    assert check(sample, rectangles_config, whole, tmp_path) >= 6


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_a_run_goes_on_after_a_power_cut_at_every_moment(
    recorded: tuple[list[Operation], RunFolder], rectangles_config: Path, tmp_path: Path
) -> None:
    operations, whole = recorded
    states = list(crash_states(operations))
    resumed = check(states, rectangles_config, whole, tmp_path)
    sys.stdout.write(f"{len(operations)} operations, {len(states)} states, {resumed} resumed\n")
    assert resumed > 0.9 * len(states)


def test_the_recorded_operations_make_the_folder(
    recorded: tuple[list[Operation], RunFolder],
) -> None:
    operations, folder = recorded
    final = replayed("at the end", operations)
    made = {path: bytes(content) for path, content in final.files.items()}
    assert made == {
        str(path.relative_to(folder.path)): path.read_bytes()
        for path in folder.path.rglob("*")
        if path.is_file()
    }
