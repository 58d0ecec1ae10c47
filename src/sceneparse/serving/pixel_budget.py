"""A bound on the pixels that are in memory at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class PixelBudget:
    """A semaphore that counts pixels; whoever waits longest comes first.

    Attributes:
        max_pixels: Most pixels at a time; no image may have more.
        held: Pixels that are held now.
    """

    def __init__(self, max_pixels: int) -> None:
        """Set the bound."""
        self.max_pixels = max_pixels
        self.held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, pixels: int) -> AsyncGenerator[None]:
        """Wait until there is room for some pixels, and hold it in the `with` block."""
        await self._take(pixels)
        try:
            yield
        finally:
            self._give_back(pixels)

    async def _take(self, pixels: int) -> None:
        if not self._waiting and self.held + pixels <= self.max_pixels:
            self.held += pixels
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((pixels, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(pixels)  # It was given in the moment of the cancellation.
            else:
                with suppress(ValueError):
                    self._waiting.remove((pixels, turn))
                self._admit()
            raise

    def _give_back(self, pixels: int) -> None:
        self.held -= pixels
        self._admit()

    def _admit(self) -> None:
        """Let those who wait come in as long as there is room."""
        while self._waiting and self.held + self._waiting[0][0] <= self.max_pixels:
            pixels, turn = self._waiting.popleft()
            if not turn.done():
                self.held += pixels
                turn.set_result(None)
