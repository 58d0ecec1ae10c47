"""The token that requests bring."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sceneparse.serving.refusals import error_response


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
