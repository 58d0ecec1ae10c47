"""Connections with bounds that uvicorn does not set: slow headers, slow readers, too many."""

import asyncio
import sys
from typing import Any

from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from sceneparse.serving.refusals import error_body
from sceneparse.serving.server_metrics import ServerMetrics
from sceneparse.serving.server_settings import ServerSettings

# How long a refused connection stays open, so that its client can read why.
_LINGER_S = 1
# When a refused client should come back: connections end within seconds.
_RETRY_S = 2


class BoundedConnection(H11Protocol):
    """A connection of HTTP/1.1 that ends if the client is too slow, or if there are too many."""

    def __init__(
        self, *arguments: Any, bounds: ServerSettings, metrics: ServerMetrics, **named: Any
    ) -> None:
        """Take the bounds, where refusals are counted, and what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._metrics = metrics
        self._is_refused = False
        self._header_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Accept or refuse a new connection, and wait for its first header."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self._bounds.max_connections:
            self._metrics.count_request("connection", 429)
            transport.abort()
        elif len(self.connections) > self._bounds.max_connections:
            self._refuse(429, "too many connections at the moment; try again later")
        else:
            self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_header_timer()
        self._stop_reading_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and watch how long a header takes."""
        if self._is_refused:
            return
        if not self.transport.get_write_buffer_size():
            # The client has read all answers.
            self._stop_reading_timer()
        if self._header_timer is None and not self._has_request():
            self._expect_header()
        super().data_received(data)
        if self._has_request():
            self._stop_header_timer()

    def on_response_complete(self) -> None:
        """Go on with the next request, and watch how long the client reads."""
        super().on_response_complete()
        self._stop_reading_timer()
        if self.transport.get_write_buffer_size():
            self._reading_timer = self.loop.call_later(
                self._bounds.answer_timeout_s, self._on_reading_timeout
            )

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no request of HTTP/1.1, as JSON."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        if self._has_request():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        text = "found a header that is too large; send fewer cookies and shorter addresses"
        self._refuse(status, text if status == 431 else f"{msg} Expected one of HTTP/1.1.")

    def _has_request(self) -> bool:
        """Return whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison] - uvicorn starts with none

    def _expect_header(self) -> None:
        self._header_timer = self.loop.call_later(
            self._bounds.header_timeout_s, self._on_header_timeout
        )

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _stop_reading_timer(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

    def _on_header_timeout(self) -> None:
        seconds = self._bounds.header_timeout_s
        self._refuse(408, f"the header of a request did not arrive within {seconds:g} seconds")

    def _on_reading_timeout(self) -> None:
        self._reading_timer = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the app, and close the connection soon."""
        self._is_refused = True
        self._stop_header_timer()
        self._unset_keepalive_if_required()
        self._metrics.count_request("connection", status)
        body = error_body(message)
        retry = f"Retry-After: {_RETRY_S}\r\n" if status == 429 else ""
        head = (
            f"HTTP/1.1 {status} {STATUS_PHRASES[status].decode()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            f"{retry}Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.loop.call_later(_LINGER_S, self._close)

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
