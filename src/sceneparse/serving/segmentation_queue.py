"""A queue of decoded images, and the one thread that segments them in batches."""

import threading
from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.prediction import Prediction
from sceneparse.serving.served_models import ServedModel
from sceneparse.serving.server_metrics import ServerMetrics
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory


@dataclass(frozen=True, eq=False)
class _WaitingImage:
    model: ServedModel
    pixels: NDArray[np.uint8]
    result: Future[Prediction] = field(default_factory=Future)
    since: float = field(default_factory=perf_counter)


class SegmentationQueue:
    """Segments images in a thread, several together if they wait at the same time.

    The thread takes the image that waits longest, and others of its model up to `batch_size`. It
    waits for more only while others for this model are being decoded, so a lone client never waits.
    """

    def __init__(self, *, batch_size: int, max_wait_s: float, metrics: ServerMetrics) -> None:
        """Start the thread.

        Args:
            batch_size: Most images that are segmented together.
            max_wait_s: How long it waits for images that are being decoded.
            metrics: Where batches and times are counted.
        """
        self._batch_size = batch_size
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._changed = threading.Condition()
        self._waiting: list[_WaitingImage] = []
        self._expected: Counter[str] = Counter()
        self._is_closed = False
        # A guess until the first batch; clients are told from it when to try again.
        self._seconds_per_image = 0.1
        self._thread = threading.Thread(target=self._run, name="segmenting", daemon=True)
        self._thread.start()

    @property
    def seconds_per_image(self) -> float:
        """How long an image takes, as a moving average."""
        return self._seconds_per_image

    @contextmanager
    def expecting(self, model: ServedModel) -> Generator[None]:
        """Announce an image for a model that is being decoded in the `with` block."""
        with self._changed:
            self._expected[model.id] += 1
        try:
            yield
        finally:
            with self._changed:
                self._expected[model.id] -= 1
                self._changed.notify()

    def submit(self, model: ServedModel, pixels: NDArray[np.uint8]) -> Future[Prediction]:
        """Add an image; cancelling the future before its turn takes it away.

        Args:
            model: Segments the image.
            pixels: `(H, W, C)`, as `Predictor.segment` takes it.
        """
        image = _WaitingImage(model, pixels)
        with self._changed:
            self._waiting.append(image)
            self._changed.notify()
        return image.result

    def close(self) -> None:
        """End the thread after the batch that it segments, and cancel what waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        for image in self._waiting:
            image.result.cancel()

    def _run(self) -> None:
        while batch := self._next_batch():
            # A future that was cancelled belongs to a client that has gone.
            batch = [image for image in batch if image.result.set_running_or_notify_cancel()]
            if batch:
                self._segment(batch)
            del batch  # It would be kept until the next image comes.

    def _next_batch(self) -> list[_WaitingImage]:
        """Wait for images, and take those that are segmented together; none at the end."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            end = monotonic() + self._max_wait_s
            while self._wants_more() and (left := end - monotonic()) > 0:
                self._changed.wait(left)
            if self._is_closed:
                return []
            batch = self._of_first_model()[: self._batch_size]
            taken = set(batch)
            self._waiting = [image for image in self._waiting if image not in taken]
            return batch

    def _of_first_model(self) -> list[_WaitingImage]:
        model = self._waiting[0].model
        return [image for image in self._waiting if image.model is model]

    def _wants_more(self) -> bool:
        if self._is_closed:
            return False
        same = self._of_first_model()
        return self._expected[same[0].model.id] > 0 and len(same) < self._batch_size

    def _segment(self, batch: list[_WaitingImage]) -> None:
        start = perf_counter()
        try:
            with advice_on_memory(PREDICTION):
                predictor = batch[0].model.predictor
                predictions = predictor.segment_all([image.pixels for image in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].result.set_exception(error)
                return
            # One of them may be to blame; the others have their predictions.
            for image in batch:
                self._segment([image])
            return
        seconds = perf_counter() - start
        self._seconds_per_image += 0.1 * (seconds / len(batch) - self._seconds_per_image)
        self._metrics.count_batch(batch[0].model.id, len(batch))
        for image, prediction in zip(batch, predictions, strict=True):
            self._metrics.observe("wait", start - image.since)
            self._metrics.observe("compute", seconds)
            image.result.set_result(prediction)
