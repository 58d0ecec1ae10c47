"""What asks a run to stop, sent to real processes."""

import os
import signal
import subprocess
import sys

import pytest

from sceneparse.system.stop_signals import stop_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# Sends itself the signal whose name it is given, and ends with what was noted.
NOTES = """
import os, signal, sys
from sceneparse.system.stop_signals import StopRequests
with StopRequests() as stop:
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
sys.exit(stop.signal_number)
"""
# Makes its output its terminal, says so, and goes on printing there when it is asked to stop.
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
def test_a_signal_is_noted_unless_the_process_was_started_to_ignore_it(name: str) -> None:
    number = getattr(signal, name)
    command = [sys.executable, "-c", NOTES, name]
    # `trap - X` in a shell that was started with X ignored does nothing, so that the test itself
    # must not be.
    before = signal.signal(number, signal.default_int_handler)
    try:
        noted = subprocess.run(command, check=False).returncode
        trap = f"trap '' {name.removeprefix('SIG')}; exec \"$@\""
        ignored = subprocess.run(["sh", "-c", trap, "sh", *command], check=False).returncode
    finally:
        signal.signal(number, before)
    assert (noted, ignored) == (number, 0)


def test_a_run_whose_terminal_was_closed_ends_as_one_that_was_stopped() -> None:
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
