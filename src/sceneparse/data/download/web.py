"""Connections over HTTP, and what may go wrong with them."""

import ssl
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from sceneparse.errors import InputError

_CHUNK = 1 << 18
# Statuses with which a server asks to try again later.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class ServerError(Exception):
    """A failure whose message may quote a server, so that it is reduced to a line of text."""

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__("".join(symbol if symbol.isprintable() else "?" for symbol in line))


class LostConnectionError(ServerError):
    """A connection ended early; another one may bring the rest."""


class NoSuchRangeError(LostConnectionError):
    """A server does not have the bytes that were asked for."""


class RefusedError(ServerError):
    """A server does not provide the file; another one may."""


def check_url(url: str) -> None:
    """Refuse an address that is not one of the web.

    Raises:
        InputError: If the address is not `http://HOST/...` or `https://HOST/...`.
    """
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        is_web = False
    if not is_web:
        raise InputError(
            f"{url}: expected an address that starts with http:// or https://, or the path of an "
            "archive on this computer",
            "url",
        )


class WebServer:
    """A server that is asked for one file, over several connections.

    Attributes:
        url: Address of the file.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        """Take the address, and the seconds without a byte after which a connection is lost."""
        check_url(url)
        self.url = url
        self._timeout_s = timeout_s
        self._has_answered = False
        # Redirects to other addresses than those of HTTP fail, because nothing here opens them.
        self._opener = OpenerDirector()
        for handler in (
            ProxyHandler(),
            UnknownHandler(),
            HTTPHandler(),
            HTTPSHandler(),
            HTTPRedirectHandler(),
            HTTPDefaultErrorHandler(),
            HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def connect(self, start: int, validator: str | None) -> HTTPResponse:
        """Ask for the file from a byte on.

        Args:
            start: The byte.
            validator: Text by which the server tells whether the file has changed, in which case
                it sends all of it; none to get the rest in any case.

        Raises:
            LostConnectionError: If the server is busy, or cannot be reached any more.
            NoSuchRangeError: If the file ends before that byte.
            RefusedError: If the server does not have the file, or cannot be reached.
        """
        # Quote spaces and non-ASCII characters; what is already quoted stays as it is.
        address = quote(self.url, safe=":/?#[]@!$&'()*+,;=%")
        request = Request(address)  # noqa: S310 - the opener allows HTTP only
        request.add_header("User-Agent", "sceneparse")
        request.add_header("Accept-Encoding", "identity")
        if start:
            request.add_header("Range", f"bytes={start}-")
            if validator is not None and not validator.startswith("W/"):
                request.add_header("If-Range", validator)
        response = self._open(request)
        self._has_answered = True
        return response

    def _open(self, request: Request) -> HTTPResponse:
        try:
            response = self._opener.open(request, timeout=self._timeout_s)
        except HTTPError as error:
            error.close()
            self._has_answered = True
            raise _status_error(error) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = _reason(error)
            # A wrong name or a missing network shows at once; a network may also fail later.
            if self._has_answered and not _is_certificate_error(error):
                raise LostConnectionError(reason) from None
            raise RefusedError(reason) from None
        if not isinstance(response, HTTPResponse):
            raise RefusedError("gives no answer over HTTP")
        return response


def read_chunk(response: HTTPResponse) -> bytes:
    """Return the next bytes of a file; none at its end, or if the server closed the connection.

    Raises:
        LostConnectionError: If no byte comes in time, or the connection breaks.
    """
    try:
        return response.read1(_CHUNK)
    except (OSError, HTTPException) as error:
        raise LostConnectionError(_reason(error)) from None


def _status_error(error: HTTPError) -> ServerError:
    reason = f"HTTP {error.code} {error.reason}"
    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return NoSuchRangeError(reason)
    return LostConnectionError(reason) if error.code in _BUSY else RefusedError(reason)


def _reason(error: Exception) -> str:
    """Say why a connection failed."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "the server did not answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _is_certificate_error(error: Exception) -> bool:
    cause = error.reason if isinstance(error, URLError) else error
    return isinstance(cause, ssl.SSLCertVerificationError)
