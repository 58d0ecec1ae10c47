"""Signals that ask a run to end, turned into a question that the loop asks between two steps."""

import errno
import os
import signal
import sys
from types import FrameType
from typing import Any, Self

# Ctrl-C, the end of a job, a closed terminal, SLURM's warning (`--signal=USR1`); Windows lacks two.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop: not those that `nohup` lets it ignore."""
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


class StopRequests:
    """While entered, the first signal to stop is only noted; a second SIGINT interrupts.

    Attributes:
        number: The signal that was noted first; 0 before.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self.number != 0

    def __enter__(self) -> Self:
        for number in stop_signals():
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
        if sys.platform != "win32" and number == signal.SIGHUP:
            _leave_closed_terminal()


def _leave_closed_terminal() -> None:
    """Write to nowhere from now on where the terminal is gone: else the next line raises EIO."""
    import termios

    for descriptor in (1, 2):
        try:
            termios.tcgetattr(descriptor)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
