"""Runs of several processes that are killed, stopped and resumed end as if nothing had happened."""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from sceneparse.artifacts.run_folder import RunFolder
from tests.pair import LONGER, assert_close
from tests.reliability.several_processes import Ended, run_ranks, send
from tests.reliability.test_crash_states import results
from tests.reliability.test_kills import STOPS, waiting_for

# A checkpoint after each step, so that many moments lie in the writing of one.
OVERRIDES = ("training.epochs=3", "training.checkpoint_steps=1", "report.every=2")
# The default suite does not wait for as long as users do.
IMPATIENT = "from sceneparse.training import heartbeat; heartbeat.SILENCE_S = 4.0"
LIMIT_S = 60.0


class WholePair:
    """A run of two processes that is never disturbed, and how long it takes from its folder on."""

    def __init__(self, config: Path, home: Path) -> None:
        self.arguments = ("train", str(config), *OVERRIDES)
        began: list[float] = []

        def begin(_: list[int]) -> None:
            waiting_for(home / "whole")(0)
            began.append(time.monotonic())

        done = run_ranks([*self.arguments, "--out", "whole"], home, disturb=begin)
        self.seconds = time.monotonic() - began[0]
        assert done.codes == [0, 0], done.stderr
        self.expected = results(RunFolder(home / "whole"))

    def run(self, folder: Path, disturb: Callable[[list[int]], int | None], before: str) -> Ended:
        """Start the run in a folder, and disturb it."""
        arguments = [*self.arguments, "--out", folder.name]
        return run_ranks(arguments, folder.parent, disturb=disturb, before=before)

    def check_resumed(self, folder: Path, where: str) -> None:
        """Resume a run on two processes, and check that it ends as if it had not stopped."""
        done = run_ranks([*self.arguments, "--out", folder.name, "--resume"], folder.parent)
        assert done.codes == [0, 0], done.stderr
        assert results(RunFolder(folder)) == self.expected, where


@pytest.fixture(scope="module")
def whole(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> WholePair:
    """A run of two processes that is never disturbed."""
    return WholePair(rectangles_config, tmp_path_factory.mktemp("whole"))


def signals_after(
    delay: float, folder: Path, stop: signal.Signals, ranks: Sequence[int], lost: int | None = None
) -> Callable[[list[int]], int | None]:
    """Return a function that sends a signal to ranks, some time after their run can be resumed."""

    def disturb(pids: list[int]) -> int | None:
        waiting_for(folder)(0)
        time.sleep(delay)
        for rank in ranks:
            send(pids[rank], stop)
        return lost

    return disturb


def reports(ended: Ended) -> list[str]:
    """Return the messages of all processes about why the run ends."""
    return [line for text in ended.stderr for line in text.splitlines() if line.startswith("error")]


def check_losses(
    whole: WholePair, home: Path, count: int, seed: int, before: str, kinds: tuple[str, ...]
) -> list[float]:
    """Lose one of two processes at `count` moments, and return how long the other still ran."""
    random = np.random.default_rng(seed)
    seconds: list[float] = []
    for number in range(count):
        folder = home / f"run{number}"
        delay = random.uniform(0, whole.seconds)
        # Every rank meets every way to be lost.
        kind = signal.Signals[kinds[number % len(kinds)]]
        lost = number // len(kinds) % 2

        lose = signals_after(delay, folder, kind, [lost], lost)
        ended = whole.run(folder, lose, before)
        where = f"{kind.name} to rank {lost} after {delay:.3f} s: {ended}"
        assert "Traceback" not in "".join(ended.stderr), where
        if ended.codes[1 - lost] != 0:
            assert ended.codes[1 - lost] == 2, where
            assert len(reports(ended)) == 1, where
            assert "resume the run" in reports(ended)[0], where
            seconds.append(ended.seconds)
        whole.check_resumed(folder, where)
    return seconds


def check_stops(whole: WholePair, home: Path, count: int, seed: int) -> int:
    """Stop and resume a run `count` times, and return in how many it was not yet over."""
    random = np.random.default_rng(seed)
    disturbed = 0
    for number in range(count):
        folder = home / f"run{number}"
        delay = random.uniform(0, whole.seconds)
        stop = signal.Signals[STOPS[number % len(STOPS)]]
        # A scheduler signals all processes, a person perhaps one of them.
        receivers = ((0,), (1,), (0, 1))[number % 3]

        send_all = signals_after(delay, folder, stop, receivers)
        ended = whole.run(folder, send_all, "")
        where = f"{stop.name} to ranks {receivers} after {delay:.3f} s: {ended}"
        if ended.codes == [128 + stop] * 2 and "the state is saved" in ended.stdout[0]:
            disturbed += 1
            assert ended.stdout[1] == "".join(ended.stderr) == "", where
        else:
            # The signal came when the training was over already.
            assert RunFolder(folder).weights.is_file(), where
        whole.check_resumed(folder, where)
    return disturbed


@pytest.mark.parametrize("kind", ["SIGKILL", pytest.param("SIGSTOP", marks=pytest.mark.slow)])
def test_a_run_that_loses_a_process_ends_and_resumes_to_the_same_end(
    whole: WholePair, kind: str, tmp_path: Path
) -> None:
    check_losses(whole, tmp_path, 1, 0, IMPATIENT, (kind,))


@pytest.mark.slow
def test_a_stopped_pair_ends_like_one_that_was_not(whole: WholePair, tmp_path: Path) -> None:
    check_stops(whole, tmp_path, count=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_a_run_stopped_on_two_processes_goes_on_on_more_or_fewer(
    pair: Path, count: int, tmp_path: Path
) -> None:
    # Three processes can share this batch too, and none computes it in parts.
    overrides = [text for text in LONGER if "accumulation" not in text]
    arguments = ["train", str(pair / "run.yaml"), *overrides, "training.batch_size=6"]
    whole = run_ranks([*arguments, "--out", "whole"], tmp_path)
    assert whole.codes == [0, 0], whole.stderr
    half = tmp_path / "half"

    def stop(pids: list[int]) -> None:
        while not RunFolder(half).metrics.exists():
            time.sleep(0.005)
        send(pids[1], signal.SIGTERM)

    stopped = run_ranks([*arguments, "--out", "half"], tmp_path, disturb=stop)
    assert stopped.codes == [128 + signal.SIGTERM] * 2, stopped
    resumed = run_ranks([*arguments, "--out", "half", "--resume"], tmp_path, count)
    assert resumed.codes == [0] * count, resumed.stderr
    assert_close(half, tmp_path / "whole")


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_pairs_that_lose_a_process_at_twenty_moments_end_within_a_minute(
    whole: WholePair, tmp_path: Path
) -> None:
    seconds = check_losses(whole, tmp_path, 20, 1, "", ("SIGKILL", "SIGSTOP"))
    sys.stdout.write(
        f"{len(seconds)} of 20 processes were lost before the end of the run; the other ended "
        f"after {np.median(seconds):.1f} s (median), at most {max(seconds):.1f} s\n"
    )
    assert max(seconds) < LIMIT_S
    assert len(seconds) >= 10


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_pairs_stopped_at_fifty_moments_end_the_same(whole: WholePair, tmp_path: Path) -> None:
    disturbed = check_stops(whole, tmp_path, count=50, seed=1)
    sys.stdout.write(f"{disturbed} of 50 signals came before the end of the run\n")
    assert disturbed >= 25
