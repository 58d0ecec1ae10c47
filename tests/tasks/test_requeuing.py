"""A job of SLURM that is warned saves its run, is queued again, and goes on."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.command import run_and_stop, run_command
from tests.reliability.several_processes import run_ranks, slurm_step
from tests.reliability.test_crash_states import results

from sceneparse.artifacts.run_folder import RunFolder

SCONTROL = """#!/bin/sh
echo "$@" >> "{calls}"
{answer}
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the calls of a `scontrol` that agrees, in the environment of a job."""
    scontrol(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    return tmp_path / "calls"


def scontrol(folder: Path, answer: str) -> None:
    path = folder / "bin" / "scontrol"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SCONTROL.format(calls=folder / "calls", answer=answer))
    path.chmod(0o755)


def signal_after_an_epoch(folder: Path, stop: signal.Signals) -> Callable[[int], None]:
    def send(pid: int) -> None:
        while not (RunFolder(folder).metrics.exists()):
            time.sleep(0.005)
        os.kill(pid, stop)

    return send


@pytest.mark.slow
def test_a_warned_job_is_requeued_and_ends_like_one_that_had_the_time(
    rectangles_config: Path, calls: Path, tmp_path: Path
) -> None:
    train = ["train", str(rectangles_config), "report.every=4", "--requeue"]
    whole = run_command([*train, "--out", "whole"], tmp_path)
    assert whole.returncode == 0, whole.stderr
    warn = signal_after_an_epoch(tmp_path / "run", signal.SIGUSR1)
    warned = run_and_stop([*train, "--out", "run"], tmp_path, warn)
    assert warned.returncode == 128 + signal.SIGUSR1, warned.stderr
    assert "the state is saved; SLURM is asked to start job 17 again" in warned.stdout
    assert calls.read_text() == "requeue 17\n"
    # SLURM starts the same command.
    again = run_command([*train, "--out", "run"], tmp_path)
    assert again.returncode == 0, again.stderr
    assert "from step" in again.stdout
    assert results(RunFolder(tmp_path / "run")) == results(RunFolder(tmp_path / "whole"))
    # It does no harm to a run that is over.
    over = run_command([*train, "--out", "run"], tmp_path)
    assert (over.returncode, calls.read_text()) == (0, "requeue 17\n")
    assert "the run is already finished" in over.stdout
    other = run_command([*train, "seed=1", "--out", "run"], tmp_path)
    assert other.returncode == 2
    assert "seed: 1 instead of 0" in other.stderr


def test_only_rank_zero_requeues(rectangles_config: Path, calls: Path, tmp_path: Path) -> None:
    def warn(pids: list[int]) -> None:
        for pid in pids:
            signal_after_an_epoch(tmp_path / "run", signal.SIGUSR1)(pid)

    arguments = ["train", str(rectangles_config), "report.every=4", "--requeue", "--out", "run"]
    environments = [slurm_step(rank, 2, 23917) for rank in range(2)]
    ended = run_ranks(arguments, tmp_path, disturb=warn, environments=environments)
    assert ended.codes == [128 + signal.SIGUSR1] * 2, ended
    assert calls.read_text() == "requeue 17\n"
    assert ended.stdout[0].count("start job 17 again") == 1
    assert ended.stdout[1] == ""


def test_a_cancelled_job_is_not_requeued(
    rectangles_config: Path, calls: Path, tmp_path: Path
) -> None:
    train = ["train", str(rectangles_config), "report.every=4", "--requeue", "--out", "run"]
    cancel = signal_after_an_epoch(tmp_path / "run", signal.SIGTERM)
    cancelled = run_and_stop(train, tmp_path, cancel)
    assert cancelled.returncode == 128 + signal.SIGTERM, cancelled.stderr
    assert "only SIGUSR1 requeues the job" in cancelled.stdout
    assert not calls.exists()


def test_a_refusal_of_slurm_is_reported_and_the_state_is_saved(
    rectangles_config: Path, calls: Path, tmp_path: Path
) -> None:
    scontrol(tmp_path, "echo 'Requested operation is presently disabled' >&2; exit 1")
    train = ["train", str(rectangles_config), "report.every=4", "--requeue", "--out", "run"]
    warn = signal_after_an_epoch(tmp_path / "run", signal.SIGUSR1)
    refused = run_and_stop(train, tmp_path, warn)
    assert refused.returncode == 2
    assert "`scontrol requeue 17` failed (Requested operation is presently" in refused.stderr
    assert RunFolder(tmp_path / "run").has_checkpoint


def test_requeuing_needs_a_job_of_slurm_and_its_command(
    rectangles_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = ["train", str(rectangles_config), "--requeue", "--out", "run"]
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    outside = run_command(train, tmp_path)
    assert (outside.returncode, outside.stdout) == (2, "")
    assert "found no job of SLURM (SLURM_JOB_ID is not set)" in outside.stderr
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("PATH", str(tmp_path))
    without = run_command(train, tmp_path)
    assert (without.returncode, without.stdout) == (2, "")
    assert "scontrol is not on PATH" in without.stderr
    assert not (tmp_path / "run").exists()
