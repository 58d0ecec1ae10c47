"""Start several processes of one run, as torchrun does, and disturb them."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - public

from tests.cli import command


@dataclass
class Ended:
    """How the processes of a run have ended.

    Attributes:
        codes: Exit code of each process; negative if a signal ended it, none if it was still alive.
        stdout: What each has written.
        stderr: What each has written as errors.
        seconds: From the disturbance to the end of all others than the disturbed one.
    """

    codes: list[int | None]
    stdout: list[str]
    stderr: list[str]
    seconds: float


def run_ranks(
    arguments: Sequence[str],
    folder: Path,
    count: int = 2,
    *,
    disturb: Callable[[list[int]], int | None] = lambda _: None,
    before: str = "",
    environments: Sequence[Mapping[str, str]] | None = None,
) -> Ended:
    """Run `sceneparse` in several processes and wait for all that are not stopped.

    Args:
        arguments: Arguments of the command.
        folder: Working directory.
        count: Number of processes.
        disturb: Called with the process ids; returns the rank whose end is not waited for.
        before: Lines of Python that each process executes first.
        environments: Environment of each process; by default that of torchrun.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    given = environments or [torchrun(rank, count, store.port) for rank in range(count)]
    # A context of its own name: the private entry point of the command's tests.
    start = command._main  # pyright: ignore[reportPrivateUsage]
    with tempfile.TemporaryDirectory() as outputs:
        paths = [
            [Path(outputs, f"{name}{rank}") for name in ("out", "err")] for rank in range(count)
        ]
        processes: list[BaseProcess] = [
            command.CONTEXT.Process(
                target=start, args=(arguments, folder, files, {**os.environ, **own}, before)
            )
            for files, own in zip(paths, given, strict=True)
        ]
        for process in processes:
            process.start()
        try:
            except_rank = disturb([process.pid or 0 for process in processes])
            start_time = time.monotonic()
            for rank, process in enumerate(processes):
                if rank != except_rank:
                    process.join()
            seconds = time.monotonic() - start_time
            codes = [process.exitcode for process in processes]
            texts = [[path.read_text() if path.exists() else "" for path in own] for own in paths]
        finally:
            for process in processes:
                process.kill()
                process.join()
    return Ended(codes, [text[0] for text in texts], [text[1] for text in texts], seconds)


def torchrun(rank: int, count: int, port: int) -> dict[str, str]:
    """Return the environment that torchrun gives a process."""
    return {
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "OMP_NUM_THREADS": "1",
    }


def slurm_step(rank: int, count: int, port: int) -> dict[str, str]:
    """Return the environment that `srun` gives a process; rank zero keeps the store."""
    return {
        "MASTER_PORT": str(port),
        "SLURM_JOB_ID": "17",
        "SLURM_STEP_ID": "3",
        "SLURM_NTASKS": str(count),
        "SLURM_NODELIST": "localhost",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_TASKS": str(count),
        "SLURM_STEP_TASKS_PER_NODE": str(count),
        "SLURM_NODEID": "0",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "OMP_NUM_THREADS": "1",
    }


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be over."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
