"""Runs that are killed or stopped at random moments end as if nothing had happened."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from sceneparse.artifacts.run_folder import RunFolder
from tests.cli.command import run_and_stop, run_command
from tests.reliability.test_crash_states import results

# A checkpoint after each step, so that many moments lie in the writing of one.
OVERRIDES = ("training.epochs=3", "training.checkpoint_steps=1", "report.every=2")
STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class WholeRun:
    """A run that is never disturbed, and how long it takes once its folder exists."""

    def __init__(self, config: Path, home: Path) -> None:
        self.arguments = ("train", str(config), *OVERRIDES)
        began: list[float] = []

        def begin(pid: int) -> None:
            waiting_for(home / "whole")(pid)
            began.append(time.monotonic())

        done = run_and_stop([*self.arguments, "--out", "whole"], home, begin)
        self.seconds = time.monotonic() - began[0]
        assert done.returncode == 0, done.stderr
        self.expected = results(RunFolder(home / "whole"))


def waiting_for(folder: Path) -> Callable[[int], None]:
    """Return a function that waits until a run can be resumed."""

    def wait(_: int) -> None:
        deadline = time.monotonic() + 120
        while not RunFolder(folder).has_checkpoint:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    return wait


class Disturbed(NamedTuple):
    """A run that was sent a signal, and how it ended."""

    sent: signal.Signals
    folder: RunFolder
    code: int
    output: str


@pytest.fixture(scope="module")
def whole(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    """A run that is never disturbed."""
    return WholeRun(rectangles_config, tmp_path_factory.mktemp("whole"))


def disturbed_runs(
    whole: WholeRun, home: Path, signals: Sequence[signal.Signals], seed: int
) -> Iterator[Disturbed]:
    """Disturb a run by each signal, yield how it ended, then resume it and compare the results."""
    random = np.random.default_rng(seed)
    for number, sent in enumerate(signals):
        folder = home / f"run{number}"
        delay = random.uniform(0, whole.seconds)

        def disturb(
            pid: int,
            folder: Path = folder,
            delay: float = delay,
            sent: signal.Signals = sent,
        ) -> None:
            waiting_for(folder)(pid)
            time.sleep(delay)
            with suppress(ProcessLookupError):  # It may be over already.
                os.kill(pid, sent)

        done = run_and_stop([*whole.arguments, "--out", folder.name], home, disturb)
        yield Disturbed(sent, RunFolder(folder), done.returncode, done.stdout)
        resumed = run_command([*whole.arguments, "--out", folder.name, "--resume"], home)
        assert resumed.returncode == 0, resumed.stderr
        assert results(RunFolder(folder)) == whole.expected, f"{sent.name} after {delay:.3f} s"


def check_kills(whole: WholeRun, home: Path, count: int, seed: int) -> int:
    """Kill and resume a run `count` times, and return in how many it was not yet over."""
    runs = disturbed_runs(whole, home, [signal.SIGKILL] * count, seed)
    return sum(run.code == -signal.SIGKILL for run in runs)


def check_stops(whole: WholeRun, home: Path, count: int, seed: int) -> int:
    """Stop and resume a run `count` times, and return in how many it was not yet over."""
    stops = [signal.Signals[STOPS[number % len(STOPS)]] for number in range(count)]
    disturbed = 0
    for run in disturbed_runs(whole, home, stops, seed):
        if run.code == 128 + run.sent and "the state is saved" in run.output:
            disturbed += 1
        else:
            # The signal came when the training was over already.
            assert run.folder.weights.is_file(), run
    return disturbed


def test_a_killed_run_ends_like_one_that_was_not(whole: WholeRun, tmp_path: Path) -> None:
    check_kills(whole, tmp_path, count=2, seed=0)


@pytest.mark.slow
def test_a_stopped_run_ends_like_one_that_was_not(whole: WholeRun, tmp_path: Path) -> None:
    check_stops(whole, tmp_path, count=2, seed=0)


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_runs_killed_at_fifty_moments_end_the_same(whole: WholeRun, tmp_path: Path) -> None:
    disturbed = check_kills(whole, tmp_path, count=50, seed=1)
    sys.stdout.write(f"{disturbed} of 50 kills came before the end of the run\n")
    assert disturbed >= 25


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_runs_stopped_at_fifty_moments_end_the_same(whole: WholeRun, tmp_path: Path) -> None:
    disturbed = check_stops(whole, tmp_path, count=50, seed=1)
    sys.stdout.write(f"{disturbed} of 50 signals came before the end of the run\n")
    assert disturbed >= 25


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_second_interrupt_ends_at_once(
    rectangles_config: Path, tmp_path: Path, processes: int
) -> None:
    def interrupt_twice(pid: int) -> None:
        waiting_for(tmp_path / "run")(pid)
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
        os.kill(pid, signal.SIGINT)

    # The first one would be heeded after a step, which takes seconds.
    slow = ("transform.size=256", "model.width=64", "training.batch_size=8", "report.every=4")
    settings = (*slow, f"training.processes={processes}", "--out", "run")
    done = run_and_stop(["train", str(rectangles_config), *settings], tmp_path, interrupt_twice)
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert "the state is saved" not in done.stdout
    # Whether Typer says that it was interrupted depends on its version.
    assert done.stderr in ("", "interrupted\n")
    # The checkpoint before the first step.
    assert RunFolder(tmp_path / "run").has_checkpoint
