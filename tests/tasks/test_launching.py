"""The processes of a run start and end together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import CONTEXT

from sceneparse.config import TrainingSettings
from sceneparse.errors import InputError
from sceneparse.system.stop_signals import stop_signals
from sceneparse.tasks import launching
from sceneparse.tasks.launching import processes_to_start

SLEEPS = "import time; time.sleep(20)"
# Creates a file when it handles signals, and exits like a stopped run.
STOPS = """
import pathlib, signal, sys, time
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
    signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
pathlib.Path(sys.argv[1]).touch()
# Short sleeps, because a signal just before a sleep is only handled after it.
for _ in range(2000):
    time.sleep(0.01)
"""


def started(*scripts: str, argument: str = "") -> "list[subprocess.Popen[bytes]]":
    return [
        subprocess.Popen([sys.executable, "-c", script, argument], start_new_session=True)
        for script in scripts
    ]


def exit_code_of(function: Callable[..., int], *arguments: object) -> int:
    """Call a function that sends signals to its own process in a new one; it is the exit code."""
    process = CONTEXT.Process(target=_exit_with, args=(function, *arguments))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _exit_with(function: Callable[..., int], *arguments: object) -> None:
    sys.exit(function(*arguments))


def signal_both(number: signal.Signals, folder: Path) -> int:
    processes = [process for n in "ab" for process in started(STOPS, argument=str(folder / n))]
    with launching.forward_signals(processes):
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), number)
        code = launching.exit_code(launching.wait_for_all(processes))
    return code if {process.returncode for process in processes} == {code} else -1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_reaches_all_processes(name: str, tmp_path: Path) -> None:
    number = signal.Signals[name]
    if number not in stop_signals():
        pytest.skip(f"started with {name} ignored")
    assert exit_code_of(signal_both, number, tmp_path) == 128 + number


# Starts two processes that sleep, and die of the first signal from their first moment on; tells
# their ids.
FORWARDS = """
import subprocess, sys, time
from sceneparse.tasks.launching import exit_code, forward_signals, wait_for_all
processes = []
with forward_signals(processes) as signals:
    for _ in "ab":
        processes.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
    print(*(process.pid for process in processes), flush=True)
    sys.exit(exit_code(wait_for_all(processes, signals)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_z_pauses_all_processes_until_they_are_continued() -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", FORWARDS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert launcher.stdout is not None
    pids = [launcher.pid, *map(int, launcher.stdout.readline().split())]

    def wait_until(*, are_stopped: bool) -> None:
        states = ""
        while not states or any((state == "T") != are_stopped for state in states):
            stats = [Path(f"/proc/{pid}/stat").read_text() for pid in pids]
            states = "".join(stat.rpartition(")")[2].split()[0] for stat in stats)

    launcher.send_signal(signal.SIGTSTP)
    wait_until(are_stopped=True)
    launcher.send_signal(signal.SIGCONT)
    wait_until(are_stopped=False)
    # The processes die of the first one.
    launcher.send_signal(signal.SIGINT)
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait() == 128 + signal.SIGINT
    launcher.stdout.close()


def interrupt_twice() -> int:
    ignores = "import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(60)"
    processes = started(ignores, ignores)
    with launching.forward_signals(processes) as signals:
        for _ in "ab":
            os.kill(os.getpid(), signal.SIGINT)
        return launching.exit_code(launching.wait_for_all(processes, signals))


def test_a_second_interrupt_kills_processes_that_ignore_it() -> None:
    assert exit_code_of(interrupt_twice) == 128 + signal.SIGINT


def test_a_failing_process_ends_processes_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "GRACE_S", 0.1)
    processes = started(SLEEPS, "raise SystemExit(2)", SLEEPS)
    assert launching.wait_for_all(processes) == 2
    assert [process.returncode for process in processes] == [-9, 2, -9]
    killed = launching.wait_for_all(started("import os; os.kill(os.getpid(), 9)"))
    assert (killed, launching.exit_code(killed)) == (-9, 137)
    assert launching.wait_for_all(started("", "")) == 0


def test_a_signal_while_processes_start_ends_those_that_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    popen, begun = subprocess.Popen, list[Any]()

    def start(*_args: object, **_options: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        begun.append(popen(["sleep", "5"], start_new_session=True))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    assert launching.run_processes(2, []) == 128 + signal.SIGTERM
    assert [process.returncode for process in begun] == [-signal.SIGTERM]


def test_no_process_is_left_if_another_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    popen, begun = subprocess.Popen, list[Any]()

    def start(*_args: object, **_options: object) -> object:
        if begun:
            raise BlockingIOError("no more processes")
        begun.append(popen(["sleep", "5"], start_new_session=True))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(BlockingIOError, match="no more processes"):
        launching.run_processes(2, [])
    assert begun[0].poll() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell usable cores")
def test_processes_share_the_cores_that_they_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    popen, threads = subprocess.Popen, list[str]()

    def start(*_args: object, env: dict[str, str], **_options: object) -> object:
        threads.append(env["OMP_NUM_THREADS"])
        return popen(["true"])

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr(subprocess, "Popen", start)
    assert launching.run_processes(3, []) == 0
    assert threads == ["2", "2", "2"]


def run_first(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each Python that starts run a script before anything else."""
    (folder / "sitecustomize.py").write_text(script)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.mark.parametrize("code", [163, 200, 255])
def test_a_high_exit_code_is_no_signal(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_first(f"import os; os._exit({code})", tmp_path, monkeypatch)
    assert launching.run_processes(1, []) == code


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no real-time signals")
def test_a_signal_without_a_name_is_reported_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_first("import os; os.kill(os.getpid(), 35)", tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"was killed by signal 35 \(the system"):
        launching.run_processes(1, [])


@pytest.mark.parametrize("reports", [False, True])
def test_a_process_killed_at_the_start_is_reported_once(
    reports: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Python runs this file first; the other process is killed while it imports.
    report = """
    from torch.distributed import TCPStore
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    store.add("errors", 1)
"""
    script = f"""
import os, signal, sys
if os.environ["RANK"] == "1":{report if reports else ""}
    os.kill(os.getpid(), signal.SIGKILL)
"""
    run_first(script, tmp_path, monkeypatch)
    monkeypatch.setattr(launching, "GRACE_S", 0.1)
    if reports:
        assert launching.run_processes(2, ["train", "no.yaml"]) == 137
    else:
        with pytest.raises(
            InputError, match=r"a process of the run was killed by SIGKILL \(the system"
        ):
            launching.run_processes(2, ["train", "no.yaml"])


def test_the_number_of_processes_follows_the_config_and_the_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def count(**fields: Any) -> int:
        return processes_to_start(TrainingSettings(**fields))

    assert count(device="cpu") == 1
    assert count(device="cpu", processes=3) == 3
    monkeypatch.setattr(launching, "select_device", lambda _: launching.torch.device("cuda"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    assert count() == count(batch_size=16) == 8
    assert count(batch_size=12) == 6
    assert count(processes=2) == 2
    with pytest.raises(InputError, match="9, but this machine has 8 of cuda"):
        count(processes=9)
    # A launched process starts no other processes.
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "1")
    assert count() == 1
