"""A network that runs once for all settings that need its logits of one image."""

import time

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.network import Logits, Network


class CachedNetwork:
    """A network that keeps its logits, and how long they took, until the cache is cleared.

    Attributes:
        saved_s: Seconds that the network would have taken for the logits that came from the cache.
    """

    def __init__(self, network: Network) -> None:
        """Wrap a network."""
        self.num_classes = network.num_classes
        self.input_stride = network.input_stride
        self.output_stride = network.output_stride
        self.saved_s = 0.0
        self._network = network
        self._cache: dict[tuple[tuple[int, ...], bytes], tuple[Logits, float]] = {}

    def clear(self) -> None:
        """Empty the cache, before the next image."""
        self._cache.clear()

    def logits(self, images: NDArray[np.uint8]) -> Logits:
        """Compute logits, or return those of the very same images."""
        key = (images.shape, images.tobytes())
        if key in self._cache:
            logits, seconds = self._cache[key]
            self.saved_s += seconds
            return logits
        start = time.perf_counter()
        logits = self._network.logits(images)
        self._cache[key] = logits, time.perf_counter() - start
        return logits
