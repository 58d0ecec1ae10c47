"""The images that an exported file is calibrated on and compared with PyTorch on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.labels import Mask

Item = TypeVar("Item")
# Called with what is done, how many parts of it are done, and their number.
OnProgress = Callable[[str, int, int], object]


class ParitySample(NamedTuple):
    """An image to compare labels on.

    Attributes:
        name: For messages.
        image: `(H, W, D)` uint8.
        mask: Its ground truth, `(H, W)` train ids; none if there is none.
    """

    name: str
    image: NDArray[np.uint8]
    mask: Mask | None = None


@dataclass(frozen=True)
class Samples:
    """Images that are read when they are needed, again in each iteration.

    Attributes:
        read: Reads the sample of an index.
        indices: The indices to read, in order.
    """

    read: Callable[[int], ParitySample]
    indices: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indices)

    def __iter__(self) -> Iterator[ParitySample]:
        """Read one image after the other."""
        return map(self.read, self.indices)

    def every_second(self, first: int) -> "Samples":
        """Keep every second image, from `first` on."""
        return Samples(self.read, self.indices[first::2])

    def spread(self, max_count: int) -> "Samples":
        """Keep at most this many images, spread evenly over all."""
        count = min(len(self), max_count)
        kept = tuple(self.indices[index * len(self) // count] for index in range(count))
        return Samples(self.read, kept)


def tracked(
    items: Iterable[Item], total: int, on_progress: OnProgress, task: str
) -> Iterator[Item]:
    """Yield items, and report each one once the caller asks for the next."""
    on_progress(task, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        on_progress(task, done, total)
