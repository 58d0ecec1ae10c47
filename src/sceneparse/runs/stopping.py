"""Ctrl-C and termination, turned into a question that the loop asks between two steps."""

import signal
from types import FrameType
from typing import Any, Self


class StopRequests:
    """While entered, the first SIGINT or SIGTERM is only noted; a second SIGINT interrupts."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
