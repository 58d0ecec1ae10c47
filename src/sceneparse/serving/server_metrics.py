"""What a server counts and measures, for Prometheus."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ServerMetrics:
    """Counters and histograms of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # Memory, processor time and open files of the process; Linux has them in `/proc`.
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "sceneparse_requests",
            "Requests, by path and status.",
            ["path", "status"],
            registry=self._registry,
        )
        self._images = Counter(
            "sceneparse_images", "Images segmented, by model.", ["model"], registry=self._registry
        )
        self._stages = Histogram(
            "sceneparse_stage_seconds",
            "Time of an image in a stage: receive, decode, wait, compute (its batch), encode.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = Histogram(
            "sceneparse_request_seconds",
            "Time from the header of a request for a segmentation to its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "sceneparse_batch_size",
            "Images that were segmented together.",
            buckets=(1, 2, 3, 4, 6, 8, 12, 16, 32),
            registry=self._registry,
        )
        self._gauges = {
            name: Gauge(f"sceneparse_{name}", text, registry=self._registry)
            for name, text in (
                ("queue_length", "Images that wait or are segmented."),
                ("pixels_in_memory", "Pixels of images that are decoded and not answered yet."),
                ("body_bytes", "Bytes of request bodies that are held."),
            )
        }

    def count_request(self, path: str, status: int) -> None:
        """Count a request; `path` is one of few."""
        self._requests.labels(path, str(status)).inc()

    def count_batch(self, model: str, images: int) -> None:
        """Count images that were segmented together."""
        self._batches.observe(images)
        self._images.labels(model).inc(images)

    def observe(self, stage: str, seconds: float) -> None:
        """Record how long an image was in a stage."""
        self._stages.labels(stage).observe(seconds)

    def observe_request(self, seconds: float) -> None:
        """Record how long a segmentation took from header to answer."""
        self._answers.observe(seconds)

    @contextmanager
    def timed(self, stage: str) -> Generator[None]:
        """Record how long the `with` block takes."""
        start = perf_counter()
        try:
            yield
        finally:
            self.observe(stage, perf_counter() - start)

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Read a gauge by a function whenever it is asked for."""
        self._gauges[name].set_function(read)

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)
