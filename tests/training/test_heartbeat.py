"""Processes notice when one of them is stopped, and only then."""

import os
import signal
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tests.cli.command import CONTEXT
from tests.reliability.several_processes import slurm_step, torchrun
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - public

from sceneparse.errors import InputError
from sceneparse.system.ranks import find_rank_info
from sceneparse.training import heartbeat
from sceneparse.training.distributed import any_rank, process_group

SILENCE_S = 3.0


def work(environment: Mapping[str, str], folder: Path, busy_s: float) -> None:
    """Write files without a word to the others, as rank zero does when it draws.

    Args:
        environment: What a launcher sets.
        folder: Where each process writes how often it has written.
        busy_s: How long rank zero writes; the others wait for it from the start. If it is infinite,
            all write.
    """
    for descriptor in (1, 2):
        with (folder / f"output_{environment['OUTPUT']}").open("ab") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.update(environment)
    heartbeat.BEAT_S, heartbeat.SILENCE_S = 0.2, SILENCE_S
    rank_info = find_rank_info()
    end = time.monotonic() + busy_s
    try:
        with process_group(rank_info):
            written = 0
            while time.monotonic() < end and (rank_info.rank == 0 or busy_s == float("inf")):
                written += 1
                (folder / f"{rank_info.rank}.tmp").write_text(str(written))
                (folder / f"{rank_info.rank}.tmp").replace(folder / f"written_{rank_info.rank}")
                time.sleep(0.01)
            any_rank(False)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None


@contextmanager
def working(
    folder: Path, environments: Sequence[Mapping[str, str]], busy_s: float
) -> Generator[list[BaseProcess]]:
    """Start processes, and wait until rank zero works."""
    processes: list[BaseProcess] = [
        CONTEXT.Process(target=work, args=({**own, "OUTPUT": str(rank)}, folder, busy_s))
        for rank, own in enumerate(environments)
    ]
    for process in processes:
        process.start()
    try:
        expected = range(len(processes) if busy_s == float("inf") else 1)
        while not all((folder / f"written_{rank}").exists() for rank in expected):
            assert all(process.exitcode is None for process in processes)
            time.sleep(0.01)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def send(process: BaseProcess, number: signal.Signals) -> None:
    assert process.pid is not None
    os.kill(process.pid, number)


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("launcher", "lost"),
    [
        ("torchrun", 1),
        ("slurm", 0),
        pytest.param("torchrun", 0, marks=pytest.mark.slow),
        pytest.param("slurm", 1, marks=pytest.mark.slow),
    ],
)
def test_the_others_end_when_one_is_stopped_and_it_writes_nothing_when_it_goes_on(
    launcher: str, lost: int, port: int, tmp_path: Path
) -> None:
    count = 3
    store = None
    if launcher == "torchrun":
        store = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
    environment = slurm_step if store is None else torchrun
    ranks = [environment(rank, count, port) for rank in range(count)]
    with working(tmp_path, ranks, float("inf")) as processes:
        send(processes[lost], signal.SIGSTOP)
        others = [rank for rank in range(count) if rank != lost]
        for rank in others:
            processes[rank].join()
        written = (tmp_path / f"written_{lost}").read_text()
        send(processes[lost], signal.SIGCONT)
        processes[lost].join()
        # It may have been stopped just before it moved a file to its place.
        assert int((tmp_path / f"written_{lost}").read_text()) - int(written) <= 1
        assert [process.exitcode for process in processes] == [2] * count
    text = "".join((tmp_path / f"output_{rank}").read_text() for rank in range(count))
    # PyTorch adds warnings about the connections, which the command line turns off.
    [message] = [line for line in text.splitlines() if line.startswith("error")]
    assert f"process {lost} of 3" in message
    assert "has been silent for 3 s" in message
    assert "resume the run" in message


def test_a_killed_rank_zero_that_kept_the_store_is_reported(port: int, tmp_path: Path) -> None:
    ranks = [slurm_step(rank, 3, port) for rank in range(3)]
    with working(tmp_path, ranks, float("inf")) as processes:
        send(processes[0], signal.SIGKILL)
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [-signal.SIGKILL, 2, 2]
    text = "".join((tmp_path / f"output_{rank}").read_text() for rank in range(3))
    [message] = [line for line in text.splitlines() if line.startswith("error")]
    assert message.startswith("error: process 0 of 3 ")


@pytest.mark.slow
def test_processes_that_are_all_stopped_for_a_while_go_on(port: int, tmp_path: Path) -> None:
    store = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
    ranks = [torchrun(rank, 2, store.port) for rank in range(2)]
    with working(tmp_path, ranks, 2 * SILENCE_S) as processes:
        # Enough beats to miss them.
        time.sleep(1)
        for process in processes:
            send(process, signal.SIGSTOP)
        time.sleep(SILENCE_S + 1)
        for process in processes:
            send(process, signal.SIGCONT)
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0]


@pytest.mark.slow
def test_processes_wait_for_one_that_works_for_long(port: int, tmp_path: Path) -> None:
    with working(tmp_path, [slurm_step(rank, 2, port) for rank in range(2)], 2 * SILENCE_S) as both:
        for process in both:
            process.join()
        assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "output_0").read_text() == (tmp_path / "output_1").read_text() == ""
