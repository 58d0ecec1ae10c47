"""Start the processes of a run on one machine, and end with them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - public

from sceneparse.config import TrainingSettings
from sceneparse.errors import InputError
from sceneparse.system.device import select_device
from sceneparse.system.ranks import find_rank_info
from sceneparse.system.stop_signals import stop_signals

# When one process has failed, the others may hang in a word to it; by then they have had time to
# notice, and to tell the user.
GRACE_S = 10.0
POLL_S = 0.05
LOCALHOST = "127.0.0.1"

Processes = list["subprocess.Popen[bytes]"]


def processes_to_start(training: TrainingSettings) -> int:
    """Return how many processes are to be started on this machine; 1 if this one is enough.

    Raises:
        InputError: If the device asked for is not there, or there are fewer than processes.
    """
    if find_rank_info().was_launched:
        return 1
    device = select_device(training.device)
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if training.processes == "auto":
        batch = training.batch_size
        shares = [n for n in range(1, there + 1) if batch == "auto" or batch % n == 0]
        return shares[-1]
    if device.type != "cpu" and training.processes > there:
        raise InputError(
            f"training.processes: {training.processes}, but this machine has {there} of "
            f"{device.type}; use at most {there}, or training.device=cpu"
        )
    return training.processes


def run_processes(count: int, arguments: Sequence[str]) -> int:
    """Run `sceneparse` with arguments as `count` processes that share the work.

    They find each other as those of torchrun do. Signals go on to them.

    Returns:
        The exit code: of the first that failed, if one did.
    """
    # Kept here, where it outlives each of them; port 0 is any that is free.
    store = TCPStore(LOCALHOST, 0, is_master=True, wait_for_workers=False)
    environment = {
        # Cores divided between them, as they would otherwise be in each other's way.
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)),
        **os.environ,
        "MASTER_ADDR": LOCALHOST,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_RUN_ID": "sceneparse",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    # -P: a folder `sceneparse` where the user is must not hide the package.
    command = [sys.executable, "-P", "-m", "sceneparse", *arguments]
    processes: Processes = []
    with signals_sent_on(processes):
        for rank in map(str, range(count)):
            own = {**environment, "RANK": rank, "LOCAL_RANK": rank}
            # A session of its own, so that Ctrl-C reaches it once: through this process.
            started = subprocess.Popen(command, env=own, start_new_session=True)  # noqa: S603
            processes.append(started)
        return exit_code(processes)


def exit_code(processes: Processes) -> int:
    """Wait for all; when one has failed, end those that do not end by themselves."""
    first_failed = 0
    deadline = float("inf")
    codes: list[int | None] = [None]
    while None in codes:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed and not first_failed:
            first_failed, deadline = failed[0], time.monotonic() + GRACE_S
        if time.monotonic() > deadline:
            for process in processes:
                process.kill()
        time.sleep(POLL_S)
    # A process that a signal has ended is told as a shell tells it.
    return first_failed if first_failed >= 0 else 128 - first_failed


@contextmanager
def signals_sent_on(processes: Processes) -> Generator[None]:
    """While inside, send signals that ask to stop on to processes."""

    def send_on(number: int, _frame: object) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, send_on) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
