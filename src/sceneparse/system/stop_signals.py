"""Stop signals, recorded so that the training loop can check for them between two steps."""

import errno
import os
import signal
import sys
from types import FrameType
from typing import Any, Self

# Ctrl-C, the end of a job, a closed terminal, and SLURM's warning (`--signal=USR1`). Windows lacks
# the last two.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop, without those that `nohup` ignores."""
    signals = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [
        signal_number
        for signal_number in signals
        if signal.getsignal(signal_number) is not signal.SIG_IGN
    ]


class StopRequests:
    """A context in which the first stop signal is only recorded; a second SIGINT interrupts.

    Attributes:
        signal_number: The first signal that arrived; 0 if none has.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self._previous_handlers: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a stop signal has arrived."""
        return self.signal_number != 0

    def __enter__(self) -> Self:
        for signal_number in stop_signals():
            self._previous_handlers[signal_number] = signal.signal(signal_number, self._record)
        return self

    def __exit__(self, *_: object) -> None:
        for signal_number, handler in self._previous_handlers.items():
            signal.signal(signal_number, handler)

    def _record(self, signal_number: int, _frame: FrameType | None) -> None:
        if self.requested and signal_number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal_number = self.signal_number or signal_number
        if sys.platform != "win32" and signal_number == signal.SIGHUP:
            _redirect_output_of_closed_terminal()


def _redirect_output_of_closed_terminal() -> None:
    """Redirect the output of a closed terminal to the null device; writing would raise EIO."""
    import termios

    for descriptor in (1, 2):
        try:
            termios.tcgetattr(descriptor)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                null_device = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null_device, descriptor)
                os.close(null_device)
