"""A network that is run once for what several ways of using it ask."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend, Counts, LabelMap, PointBackend
from sceneparse.labels import Mask


class Remembering:
    """A backend that remembers its logits and how long they took, until told to forget.

    Attributes:
        saved_s: Seconds that the network would have taken for answers that were remembered.
    """

    def __init__(self, backend: Backend) -> None:
        """Wrap a backend."""
        self.num_classes = backend.num_classes
        self.input_stride = backend.input_stride
        self.output_stride = backend.output_stride
        self.saved_s = 0.0
        self._backend = backend
        self._known: dict[tuple[tuple[int, ...], bytes], tuple[NDArray[np.float32], float]] = {}

    def forget(self) -> None:
        """Forget all answers, before those to the next picture."""
        self._known.clear()

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits, or return those of the very same pictures."""
        return self._remembered(images, self._backend.logits)

    def _remembered(
        self,
        images: NDArray[np.uint8],
        answer: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        key = (images.shape, images.tobytes())
        if key in self._known:
            logits, seconds = self._known[key]
            self.saved_s += seconds
            return logits
        start = time.perf_counter()
        logits = answer(images)
        self._known[key] = logits, time.perf_counter() - start
        return logits

    def label_map(
        self, logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int]
    ) -> LabelMap:
        """Decide as the backend does."""
        return self._backend.label_map(logits, covered, size)

    def score(
        self, logits: NDArray[np.float32], covered: tuple[float, float], truth: Mask
    ) -> Counts:
        """Count as the backend does."""
        return self._backend.score(logits, covered, truth)


class RememberingPoints(Remembering):
    """One with a point head, whose logits and features are remembered together."""

    def __init__(self, backend: PointBackend) -> None:
        """Wrap a backend."""
        super().__init__(backend)
        self.num_features = backend.num_features
        self.logits_at = backend.logits_at
        self._with_features = backend.logits_and_features

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits, or return those of the very same pictures."""
        return self.logits_and_features(images)[:, : self.num_classes]

    def logits_and_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits and features, or return those of the very same pictures."""
        return self._remembered(images, self._with_features)


def remembering(backend: Backend) -> Remembering:
    """Wrap a backend, which keeps its point head if it has one."""
    return RememberingPoints(backend) if isinstance(backend, PointBackend) else Remembering(backend)
