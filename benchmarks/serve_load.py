"""32 clients of `sceneparse serve` against one, in turn on the same server, over loopback.

Each client sends JPEG files of 683×512 one after the other over a connection of its own, and reads
JSON. The server, which computes the bundled model, has no other load.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from harness import parser
from rows import Claim, Row, make_row, report
from sceneparse.scenes import draw_scene
from serve_process import ServerProcess, asked, metric, server_process

NAME = "serve_load"
MANY = 32
_HEADERS = {"Content-Type": "image/jpeg"}
_PEER = "1 client of the same server"


@dataclass
class Load:
    """What clients of a number got.

    Attributes:
        latencies_s: Seconds of each answer.
        failures: What went wrong, one line each.
        seconds: How long they asked.
    """

    latencies_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def seconds_per_image(self) -> float:
        """Reciprocal of the throughput."""
        return self.seconds / max(1, len(self.latencies_s))

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latencies in seconds."""
        if len(self.latencies_s) < 2:
            return self.latencies_s[0] if self.latencies_s else 0.0
        return statistics.quantiles(self.latencies_s, n=100)[percent - 1]


def ask_for(server: ServerProcess, clients: int, seconds: float, images: Sequence[bytes]) -> Load:
    """Let clients ask for a time; each ends with the answer that it waits for."""
    load, lock, end = Load(), threading.Lock(), time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = server.connect()
        count = number
        while (start := time.perf_counter()) < end:
            count += 1
            try:
                answer = asked(connection, "/v1/segment", images[count % len(images)], _HEADERS)
                failure = "" if answer.status == 200 else f"{answer.status}: {answer.body[:200]}"
            except OSError as error:
                failure = repr(error)
                connection.close()
            with lock:
                if failure:
                    load.failures.append(failure)
                else:
                    load.latencies_s.append(time.perf_counter() - start)
        connection.close()

    start = time.perf_counter()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - start
    return load


class MemoryWatch:
    """Samples the memory of a server once a second while the `with` block runs.

    Attributes:
        samples_mb: Resident memory in 10⁶ bytes.
    """

    def __init__(self, server: ServerProcess) -> None:
        """Take the server."""
        self.samples_mb: list[float] = []
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(1):
            self.samples_mb.append(self._server.rss_mb())


def main() -> None:
    """Measure and report."""
    arguments = parser(__doc__)
    arguments.add_argument(
        "--seconds", type=float, default=300, help="how long 32 clients ask, in all (default: 300)"
    )
    arguments.add_argument("--rounds", type=int, default=5, help="rounds (default: 5)")
    options = arguments.parse_args()
    seconds, rounds = (3.0, 1) if options.quick else (options.seconds, options.rounds)
    images = scenes(2 if options.quick else 16)
    with server_process() as server, MemoryWatch(server) as memory:
        ask_for(server, 4, min(10, seconds), images)  # warm-up
        parts: dict[int, list[Load]] = {1: [], MANY: []}
        memory.samples_mb.clear()
        for number in range(rounds):
            for clients, share in ((1, 0.2), (MANY, 1.0)):
                print(f"{NAME}: {clients} clients, {number + 1} of {rounds}", flush=True)
                parts[clients].append(ask_for(server, clients, share * seconds / rounds, images))
        batches = server.ask("/metrics").body
    one, many = joined(parts[1]), joined(parts[MANY])
    for failure in [*one.failures, *many.failures][:10]:
        print(f"  {failure}")
    mean_batch = metric(batches, "sceneparse_batch_size_sum") / metric(
        batches, "sceneparse_batch_size_count"
    )
    print(f"  mean batch {mean_batch:.2f}; memory over time in MB: {_curve(memory.samples_mb)}")
    report(NAME, _rows(one, many, memory.samples_mb, quick=options.quick), options)


def scenes(count: int) -> list[bytes]:
    """Return JPEG files of generated scenes."""
    files: list[bytes] = []
    for index in range(count):
        file = BytesIO()
        Image.fromarray(draw_scene(0, index, 512, 683)[0]).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def joined(parts: Sequence[Load]) -> Load:
    """Put the rounds of a number of clients together."""
    return Load(
        [latency for part in parts for latency in part.latencies_s],
        [failure for part in parts for failure in part.failures],
        sum(part.seconds for part in parts),
    )


def _rows(one: Load, many: Load, memory_mb: Sequence[float], *, quick: bool) -> list[Row]:
    ours, theirs = many.seconds_per_image, one.seconds_per_image
    answered = len(many.latencies_s) / max(1, len(many.latencies_s) + len(many.failures))
    quarter = max(1, len(memory_mb) // 4)
    early, late = (statistics.median(part) for part in (memory_mb[:quarter], memory_mb[-quarter:]))
    rows = [
        make_row(
            _claim(f"seconds per image, {MANY} clients", 1.0),
            *("s", ours, theirs, theirs / ours),
            repeats=len(many.latencies_s),
            quick=quick,
        ),
        make_row(
            _claim(f"share of answers without error, {MANY} clients", 1.0),
            *("", answered, None, answered),
            repeats=len(many.latencies_s),
            quick=quick,
        ),
        make_row(
            _claim("memory, last quarter of the time against the first", 0.95),
            *("MB", late, early, early / late),
            quick=quick,
        ),
    ]
    for percent in (50, 95, 99):
        figures = many.percentile(percent), one.percentile(percent)
        claim = _claim(f"latency, {percent} % of answers, {MANY} clients", None)
        rows.append(
            make_row(claim, "s", *figures, None, repeats=len(many.latencies_s), quick=quick)
        )
    return rows


def _claim(metric_name: str, min_ratio: float | None) -> Claim:
    return Claim(benchmark=NAME, peer=_PEER, metric=metric_name, min_ratio=min_ratio)


def _curve(samples: Sequence[float]) -> str:
    step = max(1, len(samples) // 20)
    return ", ".join(f"{sample:.0f}" for sample in samples[::step])


if __name__ == "__main__":
    main()
