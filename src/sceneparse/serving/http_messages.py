"""Wrappers around every request: token, safe headers, counts, the rest of a refused body."""

import asyncio
import hmac
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sceneparse.serving.refusals import error_response
from sceneparse.serving.server_metrics import ServerMetrics

# How long the rest of a body is received that was refused before its end.
_LINGER_S = 5
_TIMED_OUT = 408
_COUNTED_PATHS = frozenset(
    {"/", "/v1/segment", "/v1/labels", "/healthz", "/metrics", "/openapi.json"}
)


class SafeHeaders:
    """Tells browsers not to guess the type of an answer, and not to keep it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and add headers to its answer."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_safely)


class CountedRequests:
    """Counts requests by path and status."""

    def __init__(self, app: ASGIApp, *, metrics: ServerMetrics) -> None:
        """Wrap an app."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.count_request(_counted_path(scope["path"]), message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            # Starlette answers it outside of this.
            self._metrics.count_request(_counted_path(scope["path"]), 500)
            raise


def _counted_path(path: str) -> str:
    if path.startswith("/assets/"):
        return "/assets"
    return path if path in _COUNTED_PATHS else "other"


class FinishedBodies:
    """Receives the rest of a body that was answered before its end, for a while.

    If the connection were closed at once, the system would answer the rest with a reset, which
    makes the client lose the answer that says why.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        """Wrap an app, and set how much is received in vain at most."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and end its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def send_and_finish(message: Message) -> None:
            is_last = not message.get("more_body", False)
            if message["type"] == "http.response.start":
                body.is_awaited &= message["status"] != _TIMED_OUT
                if body.is_open:
                    MutableHeaders(scope=message)["Connection"] = "close"
            elif body.is_open and is_last and body.is_awaited:
                await send({**message, "more_body": True})
                await body.skip(self._max_bytes)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, body.receive, send_and_finish)


class _Body:
    """The body of a request, and whether more of it may come."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.is_open = (
            b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        )
        # A client that waits for permission sends nothing after an error.
        self.is_awaited = b"expect" not in headers
        self._receive = receive

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.is_open = False
        return message

    async def skip(self, max_bytes: int) -> None:
        try:
            async with asyncio.timeout(_LINGER_S):
                while self.is_open and max_bytes > 0:
                    message = await self.receive()
                    max_bytes -= len(message.get("body", b""))
        except TimeoutError:
            return


class RequireToken:
    """Refuses requests to `/v1/` and `/metrics` without the right token."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        """Wrap an app."""
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through."""
        is_guarded = scope["type"] == "http" and (
            scope["path"].startswith("/v1/") or scope["path"] == "/metrics"
        )
        if is_guarded and not self._is_right(Headers(scope=scope)):
            found = "no token" if "authorization" not in Headers(scope=scope) else "a wrong token"
            answer = error_response(
                401,
                f"found {found}; send the header `Authorization: Bearer TOKEN`, with the token "
                "that the server was started with",
                {"WWW-Authenticate": "Bearer"},
            )
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_right(self, headers: Headers) -> bool:
        found = headers.get("authorization", "").encode("latin-1")
        kind, _, rest = found.partition(b" ")
        # The name of the scheme has no case, and the comparison takes the same time for any token.
        return hmac.compare_digest(kind.capitalize() + b" " + rest.strip(), self._expected)
