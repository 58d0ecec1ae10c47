"""Requests that are refused: their status, and the sentence that says why."""

import json
from collections.abc import Mapping

from starlette.responses import Response


class RequestRefusedError(Exception):
    """A request that gets an error in place of an answer.

    Attributes:
        status: HTTP status.
        message: What was found, what was expected, and the fix.
        headers: More headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Take status, message and headers."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class ClientGoneError(Exception):
    """The client has closed the connection, so nobody reads an answer."""


def error_body(message: str) -> bytes:
    """Return the body of an error as JSON."""
    return json.dumps({"error": message}, ensure_ascii=False).encode()


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as JSON."""
    return Response(error_body(message), status, headers, "application/json")


def stopping() -> RequestRefusedError:
    """Return the error while the server stops."""
    return RequestRefusedError(
        503, "the server is being stopped; send the request again later", {"Retry-After": "10"}
    )
