"""Start the processes of a run on one machine, and wait for them."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - public

from sceneparse.config import RunConfig, TrainingSettings
from sceneparse.errors import InputError
from sceneparse.system.device import select_device
from sceneparse.system.processor import usable_cores
from sceneparse.system.ranks import RankInfo, find_rank_info
from sceneparse.system.stop_signals import stop_signals
from sceneparse.training.heartbeat import is_first_failure

# After one process has failed, the others notice and report it. A process that still runs after
# this time waits in a collective operation and never returns.
GRACE_S = 10.0
# After a second Ctrl-C, one that still runs waits for another or computes in PyTorch.
INTERRUPTED_GRACE_S = 1.0
POLL_S = 0.05
LOCALHOST = "127.0.0.1"

Processes = list["subprocess.Popen[bytes]"]


def processes_to_start(training: TrainingSettings) -> int:
    """Return the number of processes to start on this machine; 1 if this one is enough.

    Raises:
        InputError: If the device does not exist, or there are fewer devices than processes.
    """
    if find_rank_info().was_launched:
        return 1
    device = select_device(training.device)
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if training.processes == "auto":
        batch = training.batch_size
        return max(n for n in range(1, count + 1) if batch == "auto" or batch % n == 0)
    if device.type != "cpu" and training.processes > count:
        raise InputError(
            f"training.processes: {training.processes}, but this machine has {count} of "
            f"{device.type}; use at most {count}, or training.device=cpu"
        )
    return training.processes


def check_processes(config: RunConfig, rank_info: RankInfo) -> None:
    """Check that as many processes were started as the config wants.

    Raises:
        InputError: If there are more or fewer.
    """
    asked = config.training.processes
    if asked in ("auto", rank_info.world_size):
        return
    if rank_info.was_launched:
        raise InputError(
            f"training.processes: {asked}, but {rank_info.world_size} processes were started; "
            f"remove the setting, or start {asked} processes"
        )
    raise InputError(
        f"training.processes: {asked}, but only one process was started; start the run with "
        f"`sceneparse train`, or start {asked} processes with torchrun"
    )


def run_processes(count: int, arguments: Sequence[str]) -> int:
    """Run `sceneparse` in several processes, which connect as processes of torchrun do.

    Args:
        count: Number of processes.
        arguments: Arguments of the command.

    Returns:
        The exit code of the first process that failed; 0 if none failed.

    Raises:
        InputError: If a process was killed and no other process has reported it.
    """
    # The store lives here, so it outlives the processes; port 0 means any free port.
    store = TCPStore(LOCALHOST, 0, is_master=True, wait_for_workers=False)
    environment = {
        # With more threads than cores, the processes would slow each other down.
        "OMP_NUM_THREADS": str(max(1, usable_cores() // count)),
        **os.environ,
        "MASTER_ADDR": LOCALHOST,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_RUN_ID": "sceneparse",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    # -P: a folder `sceneparse` in the working directory must not hide the package.
    command = [sys.executable, "-P", "-m", "sceneparse", *arguments]
    processes: Processes = []
    try:
        with forward_signals(processes) as signals:
            for rank in map(str, range(count)):
                env = {**environment, "RANK": rank, "LOCAL_RANK": rank}
                # In its own session, a process receives Ctrl-C only once, from `forward_signals`.
                started = subprocess.Popen(command, env=env, start_new_session=True)  # noqa: S603
                processes.append(started)
                if signals:
                    # The first one may have arrived before this process was in the list.
                    started.send_signal(signals[0])
                    break
            returncode = wait_for_all(processes, signals)
    except BaseException:
        # In sessions of their own, they would outlive this process.
        for process in processes:
            process.kill()
            process.wait()
        raise
    was_killed = returncode < 0 and -returncode not in stop_signals()
    if was_killed and is_first_failure(store):
        raise InputError(
            f"a process of the run was killed by {_signal_name(-returncode)} (the system kills a "
            "process when memory is full); resume the run, or start a new run with a smaller "
            "training.batch_size",
            "resume",
        )
    return exit_code(returncode)


def exit_code(returncode: int) -> int:
    """Return the exit code for a return code of `subprocess`: 128 + signal if a signal ended it."""
    return returncode if returncode >= 0 else 128 - returncode


def _signal_name(number: int) -> str:
    """Return the name of a signal; real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def wait_for_all(processes: Processes, signals: Sequence[int] = ()) -> int:
    """Wait for all processes; after a failure, kill those that do not exit on their own.

    Args:
        processes: The processes.
        signals: The signals that were forwarded to them; a second SIGINT ends them at once.

    Returns:
        The return code of the first process that failed, minus the signal if a signal ended it; 0
        if none failed.
    """
    first_failed = 0
    deadline = math.inf
    codes: list[int | None] = [None]
    while None in codes:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed and not first_failed:
            first_failed, deadline = failed[0], time.monotonic() + GRACE_S
        if signals.count(signal.SIGINT) > 1:
            deadline = min(deadline, time.monotonic() + INTERRUPTED_GRACE_S)
        if time.monotonic() > deadline:
            for process in processes:
                process.kill()
        time.sleep(POLL_S)
    return -signal.SIGINT if signals.count(signal.SIGINT) > 1 else first_failed


@contextmanager
def forward_signals(processes: Processes) -> Generator[list[int]]:
    """Forward stop signals to the processes while the `with` block runs, and Ctrl-Z too.

    Yields:
        The stop signals that have arrived.
    """
    signals: list[int] = []

    def send(number: int) -> None:
        for process in processes:
            process.send_signal(number)

    def forward(number: int, _frame: object) -> None:
        signals.append(number)
        send(number)

    def pause(_number: int, _frame: object) -> None:
        send(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        # The shell has continued this process.
        send(signal.SIGCONT)

    before = {number: signal.signal(number, forward) for number in stop_signals()}
    if sys.platform != "win32" and signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
        before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, pause)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
