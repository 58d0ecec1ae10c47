"""Broken uploads and slow senders against `sceneparse serve`: no error of the server, no crash.

Uploads are cut, mutated, bombs, of wrong types, or no images at all, eight at a time; a tenth more
are sent slowly, or not to their end. The same seed sends the same uploads.
"""

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from broken_uploads import BrokenUpload, broken_uploads, whole_images
from harness import parser
from rows import Claim, make_row, report
from serve_load import MemoryWatch
from serve_process import ServerProcess, answered_error, server_process

NAME = "serve_fuzz"
TOGETHER = 8
# A slow sender costs the server a connection and little else.
SLOW_TOGETHER = 64
# What the bounds of the server add up to: 50 million pixels of 20 bytes, 128 MB of bodies, and
# what the decoders of two threads take beside.
MAX_GROWTH_MB = 1300
_NO_ANSWER = 0


def send(server: ServerProcess, upload: BrokenUpload) -> tuple[str, int, str]:
    """Send an upload; return its kind, the status of the answer and its error."""
    try:
        answer = server.ask(upload.path, upload.body, upload.headers)
    except (OSError, ValueError) as error:
        return upload.kind, _NO_ANSWER, repr(error)
    return upload.kind, answer.status, answered_error(answer)


def send_slowly(server: ServerProcess, seed: int) -> int:
    """Send a part of a request byte by byte, and return the status of the answer, if any."""
    random_ = random.Random(seed)  # noqa: S311 - repeatable, not secret
    image = random_.choice(whole_images())
    head = f"POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: {len(image)}\r\n\r\n"
    content = head.encode() + image
    start = random_.randrange(len(head) + 50)
    pause_s = random_.choice((0.01, 0.1, 1.0))
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=pause_s) as connection:
        with suppress(ConnectionError):
            connection.sendall(content[:start])
            for at in range(start, start + random_.choice((3, 30))):
                with suppress(TimeoutError):
                    received += connection.recv(4096)
                connection.sendall(content[at : at + 1])
        if random_.random() < 0.5:  # Others go away in the middle.
            connection.settimeout(60)
            with suppress(OSError):
                received += connection.recv(4096)
    status = received.split(b" ", 2)[1:2] if received.startswith(b"HTTP/1.1 ") else []
    return int(status[0]) if status else _NO_ANSWER


def slow_seeds(count: int, seed: int) -> Iterator[int]:
    """Yield the seeds of slow senders."""
    return iter(range(seed * 1_000_000, seed * 1_000_000 + count))


def main() -> None:
    """Send and report."""
    arguments = parser(__doc__)
    arguments.add_argument("--count", type=int, default=5000, help="uploads (default: 5000)")
    arguments.add_argument("--seed", type=int, default=0, help="determines them (default: 0)")
    options = arguments.parse_args()
    count = 60 if options.quick else options.count
    with server_process() as server, MemoryWatch(server) as memory:
        before = server.rss_mb()
        slow: list[int] = []
        with (
            ThreadPoolExecutor(TOGETHER) as threads,
            ThreadPoolExecutor(SLOW_TOGETHER) as slow_threads,
        ):
            senders = [
                slow_threads.submit(send_slowly, server, seed)
                for seed in slow_seeds(count // 10, options.seed)
            ]
            answers = list(
                threads.map(
                    lambda upload: send(server, upload), broken_uploads(count, options.seed)
                )
            )
            slow = [sender.result() for sender in senders]
        time.sleep(2)
        image = whole_images()[0]
        goes_on = server.ask("/v1/segment", image, {}).status == 200
    statuses = Counter((kind, status) for kind, status, _ in answers)
    statuses.update(("slow", status) for status in slow)
    for (kind, status), number in sorted(statuses.items()):
        print(f"  {kind:12} {status or 'no answer'} {number}")
    wrong = [each for each in answers if each[1] >= 500 or each[1] == _NO_ANSWER]
    for kind, status, error in wrong[:10]:
        print(f"  {kind}: {status} {error}")
    tracebacks = sum("Traceback" in line for line in server.lines)
    print(f"  goes on: {goes_on}; exit status {server.process.returncode}; {tracebacks} tracebacks")
    sent = len(answers) + len(slow)
    failed = len(wrong) + sum(status >= 500 for status in slow) + tracebacks + (not goes_on)
    peak = max(memory.samples_mb, default=before)
    claim = {"benchmark": NAME, "peer": "none: bounds of the server"}
    rows = [
        make_row(
            Claim(**claim, metric="share of uploads without an error of the server", min_ratio=1),
            *("", 1 - failed / sent, None, 1 - failed / sent),
            repeats=sent,
            quick=options.quick,
        ),
        make_row(
            Claim(**claim, metric="growth of memory, at its peak", min_ratio=1),
            *("MB", peak - before, MAX_GROWTH_MB, MAX_GROWTH_MB / max(peak - before, 1)),
            repeats=sent,
            quick=options.quick,
        ),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
