"""A local HTTP server of one file, which misbehaves in chosen ways."""

import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from sceneparse.data.download.resumable import Patience

# Waits of milliseconds, so that tests are fast.
IMPATIENT = Patience(timeout_s=0.3, attempts=3, first_wait_s=0.001, longest_wait_s=0.002)


@dataclass(frozen=True)
class Behaviour:
    """How the server answers a request; by default as it should.

    Attributes:
        status: Status instead of 200 and 206.
        cut_after: Bytes of the body after which the connection is closed.
        stall_after: Bytes of the body after which nothing comes.
        ignore_ranges: Send the file from its start, whatever is asked for.
        ignore_condition: Send the range even if the file has changed.
        shift: Send a range that starts so many bytes later than asked for.
        most: Send at most so many bytes of a range, and say so.
        length: The `Content-Length`, instead of the true one; none for -1.
        content: Another file, from this request on.
        etag: Another `ETag`, from this request on; empty for none.
        headers: More headers.
    """

    status: int | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    ignore_ranges: bool = False
    ignore_condition: bool = False
    shift: int = 0
    most: int | None = None
    length: int | None = None
    content: bytes | None = None
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FileServer:
    """Serves a file at any path; each request takes the next behaviour, and the last one stays.

    Attributes:
        content: The file.
        etag: Its `ETag`.
        requests: The headers of each request.
        paths: The path of each request.
    """

    def __init__(self, content: bytes, *behaviours: Behaviour) -> None:
        self.content = content
        self.etag = '"first"'
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._behaviours = list(behaviours) or [Behaviour()]
        self._closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = _Server(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/data/archive.zip"

    @property
    def ranges(self) -> list[str | None]:
        """The range of each request."""
        return [request.get("range") for request in self.requests]

    def then(self, *behaviours: Behaviour) -> None:
        """Replace the behaviours."""
        self._behaviours = list(behaviours)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(request)
        self.paths.append(handler.path)
        many = len(self._behaviours) > 1
        behaviour = self._behaviours.pop(0) if many else self._behaviours[0]
        self.content = self.content if behaviour.content is None else behaviour.content
        self.etag = self.etag if behaviour.etag is None else behaviour.etag
        if behaviour.status is not None:
            handler.send_response(behaviour.status)
            self._end_headers(handler, {"Content-Length": "0", **behaviour.headers})
            return
        start = self._asked_start(request, behaviour)
        if start is not None and start >= len(self.content):
            handler.send_response(416)
            self._end_headers(handler, {"Content-Range": f"bytes */{len(self.content)}"})
            return
        headers: dict[str, str] = {"ETag": self.etag} if self.etag else {}
        body = self.content
        handler.send_response(200 if start is None else 206)
        if start is not None:
            first = start + behaviour.shift
            body = body[first:][: behaviour.most]
            last = first + len(body) - 1
            headers["Content-Range"] = f"bytes {first}-{last}/{len(self.content)}"
        length = len(body) if behaviour.length is None else behaviour.length
        if length >= 0:
            headers["Content-Length"] = str(length)
        self._end_headers(handler, {**headers, **behaviour.headers})
        ends = (behaviour.cut_after, behaviour.stall_after)
        handler.wfile.write(body[: next((end for end in ends if end is not None), None)])
        handler.wfile.flush()
        if behaviour.stall_after is not None:
            self._closing.wait(10)

    def _asked_start(self, request: Mapping[str, str], behaviour: Behaviour) -> int | None:
        found = re.fullmatch(r"bytes=(\d+)-", request.get("range", ""))
        condition = request.get("if-range", self.etag)
        is_same = condition == self.etag or behaviour.ignore_condition
        return int(found[1]) if found and is_same and not behaviour.ignore_ranges else None

    @staticmethod
    def _end_headers(handler: BaseHTTPRequestHandler, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()


Serve = Callable[..., FileServer]
