"""A server in a process of its own, and what clients and the operating system see of it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

_ADDRESS = re.compile(r"http://[\d.]+:(\d+)")


class Answer(NamedTuple):
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class ServerProcess:
    """A server.

    Attributes:
        port: Its port.
        process: Its process.
        lines: What it has printed.
    """

    port: int
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def rss_mb(self) -> float:
        """Return its resident memory in 10⁶ bytes."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def connect(self, timeout_s: float = 120) -> http.client.HTTPConnection:
        """Open a connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> Answer:
        """Send a request over a connection of its own, and return the answer."""
        connection = self.connect()
        try:
            return asked(connection, path, body, headers, method)
        finally:
            connection.close()


def asked(
    connection: http.client.HTTPConnection,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Answer:
    """Send a request over a connection, and return the answer."""
    method = method or ("GET" if body is None else "POST")
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    return Answer(answer.status, dict(answer.getheaders()), answer.read())


@contextmanager
def server_process(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Generator[ServerProcess]:
    """Start `sceneparse serve` on a free port, and end it by SIGTERM.

    Raises:
        RuntimeError: If it ends before it has printed its address.
    """
    command = [sys.executable, "-m", "sceneparse", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    server = ServerProcess(0, process)
    for line in process.stdout or ():
        server.lines.append(line.rstrip())
        if found := _ADDRESS.search(line):
            server.port = int(found[1])
            break
    else:
        process.wait()
        raise RuntimeError("\n".join(server.lines))
    rest = threading.Thread(target=lambda: server.lines.extend(process.stdout or ()), daemon=True)
    rest.start()
    _wait_until_ready(server)
    try:
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
        rest.join(10)
        if process.stdout is not None:
            process.stdout.close()


def _wait_until_ready(server: ServerProcess, timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            if server.ask("/healthz").status == 200:
                return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def form_of(
    image: bytes, field_name: str = "image", more: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of multipart/form-data with an image."""
    boundary = "a2f4c6e8"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in more
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field_name}"; '
        f'filename="image"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    body = "".join(parts).encode() + head.encode() + image + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def metric(text: bytes, name: str) -> float:
    """Return the sum of a metric over its labels."""
    lines = [line.split(" ") for line in text.decode().splitlines() if line.startswith(name)]
    return sum(float(value) for key, value in lines if key.partition("{")[0] == name)


def answered_error(answer: Answer) -> str:
    """Return the sentence of an error, or nothing if the body has another form."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return ""
    return document.get("error", "") if isinstance(document, dict) else ""
