"""Resumable downloads over HTTP.

A download asks for the bytes that are missing (`Range`), on condition that the file has not changed
(`If-Range`), and starts over where a server does not go on at the right byte of the same file. What
arrives is appended to the file at once, so that a later run goes on where an earlier one stopped.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from itertools import zip_longest
from typing import NamedTuple

from sceneparse.data.download.partial_file import PartialFile
from sceneparse.data.download.web import (
    LostConnectionError,
    NoSuchRangeError,
    RefusedError,
    WebServer,
    read_chunk,
)
from sceneparse.errors import InputError

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d+/(\d{1,18})$")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        timeout_s: Seconds without a byte after which a connection is given up.
        attempts: Connections in a row that may bring nothing new.
        first_wait_s: Seconds before the second of them; the wait doubles each time.
        longest_wait_s: Most seconds between two of them.
    """

    timeout_s: float = 30.0
    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0

    def wait_s(self, failures: int) -> float:
        """Return the seconds to wait after a number of failures in a row, which may be 0."""
        return min(self.longest_wait_s, self.first_wait_s * 2 ** max(0, failures - 1))


class Listener(NamedTuple):
    """Who is told how a download goes.

    Attributes:
        progress: Called with the number of bytes that have arrived.
        say: Called with lines that the user should read.
    """

    progress: Callable[[int], object]
    say: Callable[[str], object]


def fetch(
    urls: Sequence[str],
    partial: PartialFile,
    size: int,
    listener: Listener,
    patience: Patience,
) -> None:
    """Download a file of known size, from the first of several servers that provides it.

    Args:
        urls: Addresses of the file.
        partial: The file, of which a part may already be there.
        size: Its size in bytes when it is complete.
        listener: Who is told how it goes.
        patience: How long to wait for a server.

    Raises:
        InputError: If no server provides the file; what has arrived stays there.
        OSError: If the file cannot be written.
    """
    reasons: list[str] = []
    for url, following in zip_longest(urls, urls[1:]):
        server = WebServer(url, patience.timeout_s)
        try:
            _Download(server, partial, size, listener, patience).run()
            return
        except RefusedError as error:
            reasons.append(f"{url}: {error}")
            if following is not None:
                listener.say(f"{reasons[-1]}; trying {following}")
    kept = partial.length()
    resumes = (
        f"{_megabytes(kept, size)} are kept in {partial.path}, and the same command goes on there; "
        if kept
        else ""
    )
    raise InputError(
        f"{'; '.join(reasons)}; {resumes}try again later, or give the address of another copy or "
        "the path of an archive that you have",
        "url",
    )


class _Download:
    """A download from one server."""

    def __init__(
        self,
        server: WebServer,
        partial: PartialFile,
        size: int,
        listener: Listener,
        patience: Patience,
    ) -> None:
        self._server = server
        self._partial = partial
        self._size = size
        self._listener = listener
        self._patience = patience

    def run(self) -> None:
        """Connect until the file is complete, or connections in a row have brought nothing new."""
        furthest = self._partial.length()
        if furthest > self._size:
            self._partial.remove()
            furthest = 0
        failures = 0
        while self._partial.length() < self._size:
            try:
                self._continue()
            except LostConnectionError as error:
                length = self._partial.length()
                failures = 0 if length > furthest else failures + 1
                furthest = max(furthest, length)
                if failures >= self._patience.attempts:
                    raise RefusedError(f"{error}, {failures} times in a row") from None
                wait = self._patience.wait_s(failures)
                reached = _megabytes(length, self._size)
                self._say(f"{error}, after {reached}; trying again in {wait:g} s")
                time.sleep(wait)

    def _continue(self) -> None:
        """Ask for the rest of the file, and append it."""
        start = self._partial.length()
        known = self._partial.validator(self._server.url)
        try:
            response = self._server.connect(start, known)
        except NoSuchRangeError:
            self._partial.remove()
            raise
        with response:
            encoding = response.headers.get("Content-Encoding", "identity")
            if encoding != "identity":
                raise RefusedError(f"sends the file compressed ({encoding})")
            validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                has_changed = bool(start and known and validator and validator != known)
                self._check_part(response, start, has_changed)
            elif response.status == HTTPStatus.OK:
                self._check_whole(response)
                if start:
                    self._say("the server does not resume, or its file has changed; starting over")
                    self._partial.remove()
                    start = 0
            else:
                raise RefusedError(f"HTTP {response.status} {response.reason}")
            self._partial.set_validator(self._server.url, validator)
            self._append(response, start)

    def _check_part(self, response: HTTPResponse, start: int, has_changed: bool) -> None:
        found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        if found is not None:
            self._check_size(int(found[2]))
        if has_changed:
            self._partial.remove()
            raise LostConnectionError("the file has changed on the server")
        if found is None or int(found[1]) != start:
            self._partial.remove()
            raise LostConnectionError("the server sends another part of the file than asked for")

    def _check_whole(self, response: HTTPResponse) -> None:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal():
            self._check_size(int(length))

    def _check_size(self, size: int) -> None:
        if size != self._size:
            raise RefusedError(
                f"the file has {size:,} bytes, and the published archive {self._size:,}"
            )

    def _append(self, response: HTTPResponse, start: int) -> None:
        done = start
        with self._partial.append() as file:
            while chunk := read_chunk(response):
                done += len(chunk)
                if done > self._size:
                    break
                file.write(chunk)
                self._listener.progress(done)
        if done > self._size:
            self._partial.remove()
            raise RefusedError(
                f"the server sends more than the {self._size:,} bytes of the published archive"
            )
        if done < self._size:
            raise LostConnectionError("the server closed the connection")

    def _say(self, line: str) -> None:
        self._listener.say(f"{self._server.url}: {line}")


def _megabytes(done: int, size: int) -> str:
    return f"{done / 1e6:,.1f} of {size / 1e6:,.1f} MB"
