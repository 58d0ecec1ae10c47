"""The server: a socket, an event loop, and signals that stop it in order."""

import errno
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from sceneparse.errors import InputError
from sceneparse.serving.connections import BoundedConnection
from sceneparse.serving.service import SegmentationService

_BACKLOG = 512


class SegmentationServer(uvicorn.Server):
    """Serves an app until a signal stops it; what was accepted is finished first.

    Unlike uvicorn, it then returns: being stopped is not an error, so a process ends with 0.
    """

    def __init__(
        self, app: ASGIApp, service: SegmentationService, *, access_log: bool = False
    ) -> None:
        """Configure the server.

        Args:
            app: The app.
            service: What it asks, for its bounds, and to be stopped.
            access_log: Whether each request is written to standard output.
        """
        bounds = service.bounds
        connection = partial(BoundedConnection, bounds=bounds, metrics=service.metrics)
        super().__init__(
            uvicorn.Config(
                app,
                # A function that makes connections, which uvicorn only calls.
                http=cast("type[Any]", connection),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_level="info" if access_log else "error",
                access_log=access_log,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=bounds.keep_alive_timeout_s,
                # The service gives up earlier, and tells each client.
                timeout_graceful_shutdown=bounds.shutdown_timeout_s + 5,
                h11_max_incomplete_event_size=int(bounds.max_header_kb * 1e3),
            )
        )
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, and finish what was accepted."""
        self._service.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop at SIGINT and SIGTERM; a second SIGINT ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def bound_socket(host: str, port: int) -> socket.socket:
    """Bind a socket, which does not listen yet.

    Args:
        host: Name or address of this machine.
        port: Port; 0 for a free one.

    Raises:
        InputError: If host or port cannot be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(
            f"host {host}: no address of this machine ({error}); use 127.0.0.1, or 0.0.0.0 for all "
            "networks",
            "host",
        ) from None
    family, _, _, _, address = found[0]
    bound = socket.socket(family)
    try:
        if hasattr(socket, "SO_REUSEPORT"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _refusal(host, port, error) from None
    return bound


def _refusal(host: str, port: int, error: OSError) -> InputError:
    match error.errno:
        case errno.EADDRINUSE:
            text = f"port {port} of {host}: in use by another program; choose another port"
            return InputError(text, "port")
        case errno.EACCES:
            text = f"port {port}: not allowed for this user; choose one from 1024 on"
            return InputError(text, "port")
        case _:
            text = f"host {host}: cannot be used ({error.strerror}); use 127.0.0.1"
            return InputError(text, "host")
