"""Stop signals to real processes."""

import os
import signal
import subprocess
import sys

import pytest

from sceneparse.system.stop_signals import stop_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# Sends itself the signal of the given name, and exits with the recorded number.
RECORDS_SIGNAL = """
import os, signal, sys
from sceneparse.system.stop_signals import StopRequests
with StopRequests() as stop:
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
sys.exit(stop.signal_number)
"""
# Makes its output its terminal, and still prints there after a stop signal.
IN_TERMINAL = """
import fcntl, sys, termios, time
from sceneparse.system.stop_signals import StopRequests
with StopRequests() as stop:
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)
    print("ready", flush=True)
    while not stop.requested:
        time.sleep(0.01)
    print("stopped", flush=True)
    print("stopped", file=sys.stderr, flush=True)
sys.exit(128 + stop.signal_number)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_stop_signal_is_recorded_unless_the_process_ignores_it(name: str) -> None:
    number = getattr(signal, name)
    command = [sys.executable, "-c", RECORDS_SIGNAL, name]
    # A child process inherits ignored signals, so the test itself must not ignore this one.
    before = signal.signal(number, signal.default_int_handler)
    try:
        recorded = subprocess.run(command, check=False).returncode
        trap = f"trap '' {name.removeprefix('SIG')}; exec \"$@\""
        ignored = subprocess.run(["sh", "-c", trap, "sh", *command], check=False).returncode
    finally:
        signal.signal(number, before)
    assert (recorded, ignored) == (number, 0)


def test_a_run_whose_terminal_closes_ends_like_a_stopped_run() -> None:
    if signal.SIGHUP not in stop_signals():
        pytest.skip("started with SIGHUP ignored")
    outer, inner = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    assert os.read(outer, 100).startswith(b"ready")
    os.close(outer)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
