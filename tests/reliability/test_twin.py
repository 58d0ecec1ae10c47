"""A run on a bad machine ends like its twin that nothing disturbs."""

import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sceneparse.artifacts.run_folder import RunFolder
from tests.cli.command import COMMAND
from tests.reliability.test_crash_states import results
from tests.reliability.test_full_disk import check_one_message, mounted

CONFIG = Path(__file__).parents[2] / "configs/ade20k/twenty_minutes.yaml"
# Two runs and a neighbour share two cores. Who expects a kill a minute saves more often.
OVERRIDES = (
    "training.epochs=6",
    "training.threads=1",
    "training.checkpoint_minutes=0.25",
    "training.validate_every=2",
)
KILL_EVERY_S = (30, 90)
# The training must be under way when the disk is full.
FILLED_AT_KILL = 5
NEIGHBOUR = """
import random, time
import numpy as np
matrix = np.ones((1500, 1500))
while True:
    end = time.monotonic() + random.uniform(0, 20)
    while time.monotonic() < end:
        matrix @ matrix
    time.sleep(random.uniform(0, 20))
"""


@contextmanager
def started(arguments: Sequence[str]) -> Generator["subprocess.Popen[str]"]:
    """Run a command beside the test, which ends with the test at the latest."""
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Wait for the end of a run and return its exit code and messages."""
    _, messages = process.communicate()
    return subprocess.CompletedProcess(COMMAND, process.returncode, "", messages)


def fill(disk: Path) -> None:
    """Write a file until the disk is full."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(2**16)):
                pass
        except OSError:
            return


def train_until_the_end(arguments: Sequence[str], disk: Path) -> int:
    """Train, and kill and resume the run every minute, but once fill its disk; count the kills."""
    random = np.random.default_rng(0)
    kills, was_full, folder = 0, False, RunFolder(disk / "run")
    while True:
        resume = ["--resume"] if folder.has_checkpoint else []
        with started([*arguments, "--out", str(folder.path), *resume]) as process:
            try:
                process.wait(random.uniform(*KILL_EVERY_S))
            except subprocess.TimeoutExpired:
                if kills == FILLED_AT_KILL and not was_full:
                    fill(disk)
                    message = check_one_message(ended(process))
                    assert "free some disk space" in message
                    (disk / "filler").unlink()
                    was_full = True
                    continue
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                continue
            done = ended(process)
            assert done.returncode == 0, done.stderr
            assert was_full
            return kills


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_a_run_on_a_bad_machine_ends_like_its_undisturbed_twin(
    real_root: Path, tmp_path: Path
) -> None:
    arguments = [COMMAND, "train", str(CONFIG), f"data.root={real_root}", *OVERRIDES]
    undisturbed = RunFolder(tmp_path / "undisturbed")
    begin = time.monotonic()
    with (
        started([sys.executable, "-c", NEIGHBOUR]),
        started([*arguments, "--out", str(undisturbed.path)]) as twin,
        contextmanager(mounted)(1_000_000_000) as disk,
    ):
        kills = train_until_the_end(arguments, disk)
        minutes = (time.monotonic() - begin) / 60
        done = ended(twin)
        assert done.returncode == 0, done.stderr
        assert results(RunFolder(disk / "run")) == results(undisturbed)
    sys.stdout.write(f"{kills} kills and a full disk in {minutes:.1f} minutes: equal results\n")
    assert kills >= 10
