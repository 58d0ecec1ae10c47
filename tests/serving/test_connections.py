"""Connections end when clients are too slow or too many; the others do not notice."""

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import pytest

from sceneparse.serving.service import SegmentationService
from tests.serving.servers import (
    MeanColors,
    file_of,
    photo,
    running,
    service_of,
    status_of,
    talk,
)

IMAGE = file_of(photo())
START = b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\n"
Serve = Callable[..., tuple[int, SegmentationService]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with bounds, and return its port."""
    with ExitStack() as stack:

        def start(*networks: Any, **bounds: Any) -> tuple[int, SegmentationService]:
            service = stack.enter_context(service_of(*networks, **bounds))
            return stack.enter_context(running(service)), service

        yield start


def request_of(image: bytes, more: bytes = b"") -> bytes:
    return START + more + f"Content-Length: {len(image)}\r\n\r\n".encode() + image


def error_of(answer: bytes) -> str:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def assert_idle(service: SegmentationService) -> None:
    """Wait until the service holds nothing."""
    end = time.monotonic() + 20
    names = ("body_bytes", "queue_length", "pixels_in_memory")
    while any(f"sceneparse_{name} 0.0\n".encode() not in service.metrics.text() for name in names):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_slow_header_ends_with_408(serve: Serve) -> None:
    port, service = serve(header_timeout_s=0.3)
    for parts in ((b"",), (b"GET /", b"healthz"), tuple(START[at : at + 1] for at in range(90))):
        answer = talk(port, *parts, pause_s=0.05)
        assert status_of(answer) == 408
        assert "header of a request did not arrive" in error_of(answer)
    assert b'sceneparse_requests_total{path="connection",status="408"} 3.0' in (
        service.metrics.text()
    )


def test_a_slow_header_of_a_second_request_ends_too(serve: Serve) -> None:
    port, _ = serve(header_timeout_s=0.3, keep_alive_timeout_s=30)
    slow = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 30
    first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = talk(port, first, *(slow[at : at + 1] for at in range(len(slow))), pause_s=0.03)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


def test_a_slow_body_ends_with_408(serve: Serve) -> None:
    port, service = serve(body_timeout_s=0.3)
    slow = tuple(IMAGE[at : at + 1] for at in range(100))
    head = START + f"Content-Length: {len(IMAGE)}\r\n\r\n".encode()
    answer = talk(port, head, *slow, pause_s=0.05)
    assert status_of(answer) == 408
    assert "did not arrive within 0.3 seconds" in error_of(answer)
    assert b"connection: close" in answer.lower()
    chunked = START + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status_of(talk(port, chunked, b"1\r\nx\r\n", b"1\r\n", pause_s=0.1)) == 408
    assert_idle(service)


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    port, _ = serve(keep_alive_timeout_s=1)
    answer = talk(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status_of(answer) == 200


def test_a_body_that_is_too_large_is_refused_by_its_length(serve: Serve) -> None:
    port, service = serve(max_body_mb=0.1)
    # The client sends its whole body before it reads: it still gets the reason.
    answer = talk(port, request_of(bytes(150_000)))
    assert status_of(answer) == 413
    assert "more than 0.1 MB" in error_of(answer)
    # One that waits for permission gets the reason in its place.
    answer = talk(port, START + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert status_of(answer) == 413
    assert_idle(service)


def test_an_endless_body_ends(serve: Serve) -> None:
    port, service = serve(max_body_mb=0.1)
    chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
    answer = talk(port, START + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 1000)
    assert status_of(answer) in (0, 413)  # 0: it sent on after the end, and got a reset
    assert_idle(service)


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # without a host
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000, 431),
        (START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (START + b"Content-Length: -5\r\n\r\nhello", 400),
        (START + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
    ],
    ids=range(7),
)
def test_what_is_no_request_is_refused_as_json(serve: Serve, garbage: bytes, status: int) -> None:
    port, service = serve()
    answer = talk(port, garbage)
    assert status_of(answer) == status
    assert error_of(answer)
    assert_idle(service)
    assert status_of(talk(port, request_of(IMAGE, b"Connection: close\r\n"))) == 200


def test_too_many_connections_are_refused(serve: Serve) -> None:
    port, _ = serve(max_connections=4)
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.1)
        answer = talk(port)
        assert status_of(answer) == 429
        assert "too many connections" in error_of(answer)
        # Above twice the bound they are not even answered.
        for _ in range(4):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.1)
        assert talk(port) == b""
    time.sleep(0.2)
    assert status_of(talk(port, request_of(IMAGE, b"Connection: close\r\n"))) == 200


def together(port: int, count: int) -> list[bytes]:
    """Send images at the same time, and return the answers."""
    answers: list[bytes] = []
    request = request_of(IMAGE, b"Connection: close\r\n")

    def send() -> None:
        answers.append(talk(port, request))

    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_full_queue_refuses_images_until_there_is_a_place(serve: Serve) -> None:
    network = MeanColors(delay_s=0.3)
    port, service = serve(network, queue_size=3, batch_size=1)
    answers = together(port, 9)
    statuses = sorted(map(status_of, answers))
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 3
    refused = next(answer for answer in answers if status_of(answer) == 429)
    assert b"retry-after: 1\r\n" in refused.lower() or b"retry-after: 2\r\n" in refused.lower()
    assert "images are waiting already" in error_of(refused)
    assert_idle(service)
    assert status_of(together(port, 1)[0]) == 200


def test_images_of_several_clients_are_segmented_together(serve: Serve) -> None:
    network = MeanColors(delay_s=0.1)
    port, _ = serve(network, batch_size=4, max_wait_ms=50)
    assert [status_of(answer) for answer in together(port, 12)] == [200] * 12
    assert sum(network.batches) == 12
    assert max(network.batches) == 4


def test_a_client_that_goes_frees_its_place(serve: Serve) -> None:
    network = MeanColors(delay_s=0.3)
    port, service = serve(network, queue_size=4, batch_size=1)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request_of(IMAGE))
            time.sleep(0.05)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request_of(IMAGE)[:-10])  # It goes within its body.
    assert_idle(service)
    # The first was being segmented; the others had not begun.
    assert sum(network.batches) == 1
    assert status_of(together(port, 1)[0]) == 200


def test_an_image_that_waits_too_long_ends_with_504(serve: Serve) -> None:
    port, service = serve(MeanColors(delay_s=0.5), answer_timeout_s=0.2)
    (answer,) = together(port, 1)
    assert status_of(answer) == 504
    assert "not segmented within 0.2 seconds" in error_of(answer)
    assert_idle(service)


def test_images_that_are_not_done_when_the_time_to_stop_is_over_end_with_503() -> None:
    answers: list[bytes] = []
    with service_of(MeanColors(delay_s=3), shutdown_timeout_s=1) as service:
        with running(service) as port:
            client = threading.Thread(target=lambda: answers.extend(together(port, 1)))
            client.start()
            while b"sceneparse_queue_length 1.0" not in service.metrics.text():
                time.sleep(0.01)
        client.join()
    assert status_of(answers[0]) == 503
    assert "being stopped" in error_of(answers[0])


def test_bodies_that_are_too_many_together_are_refused(serve: Serve) -> None:
    port, service = serve(max_body_mb=0.1, max_bodies_mb=0.1)
    head = START + b"Connection: close\r\nContent-Length: 80000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(head + bytes(60_000))
        time.sleep(0.2)
        answer = talk(port, head + bytes(80_000))
        assert status_of(answer) == 429
        assert "receives too much" in error_of(answer)
    assert_idle(service)
    assert status_of(together(port, 1)[0]) == 200


def large_image() -> bytes:
    """Return an image whose overlay is larger than what the system holds for a client."""
    noise = np.random.default_rng(0).integers(0, 255, (2400, 2400, 3), np.uint8)
    return file_of(noise, "JPEG", quality=40)


def slow_socket(port: int) -> socket.socket:
    """Connect to a server with a small buffer for what it sends."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect(("127.0.0.1", port))
    return opened


@pytest.mark.slow
def test_a_client_that_does_not_read_is_disconnected(serve: Serve) -> None:
    port, _ = serve(answer_timeout_s=8)
    with slow_socket(port) as connection:
        connection.sendall(request_of(large_image(), b"Accept: image/jpeg\r\n"))
        connection.settimeout(20)
        received = connection.recv(1000)
        (length,) = re.findall(rb"content-length: (\d+)", received)
        time.sleep(9)
        with suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
    assert len(received) < int(length)


@pytest.mark.slow
def test_each_answer_has_its_own_time_to_be_read(serve: Serve) -> None:
    port, _ = serve(answer_timeout_s=8)
    image = large_image()
    with slow_socket(port) as opened:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.sock = opened
        # The time of the first answer would be over before the second one is read.
        for before_s, unread_s in ((0, 0), (5, 5)):
            time.sleep(before_s)
            connection.request("POST", "/v1/segment", image, {"Accept": "image/jpeg"})
            answer = connection.getresponse()
            time.sleep(unread_s)
            assert len(answer.read()) == int(answer.headers["Content-Length"])


def test_requests_of_one_connection_follow_each_other(serve: Serve) -> None:
    port, _ = serve()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for content, status in ((IMAGE, 200), (b"broken", 415), (b"", 400), (IMAGE, 200)):
        connection.request("POST", "/v1/segment", content)
        answer = connection.getresponse()
        assert answer.status == status
        answer.read()
    connection.close()
    two = request_of(IMAGE) + request_of(IMAGE, b"Connection: close\r\n")
    assert talk(port, two).count(b"HTTP/1.1 200 ") == 2
