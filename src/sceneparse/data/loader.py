"""Batches in an order that depends on seed and step alone, read ahead by threads.

Threads, not processes: decoding and resampling happen inside Pillow and NumPy, which let other
threads run, and nothing has to be copied or pickled between processes.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.dataset import Dataset, Sample
from sceneparse.data.sampling import epoch_order
from sceneparse.labels import Mask

# How far threads read ahead.
BATCHES_AHEAD = 3

Input = TypeVar("Input")
Output = TypeVar("Output")


class Batch(NamedTuple):
    """Samples of one size, stacked.

    Attributes:
        image: RGB `(B, H, W, 3)` in 0..255.
        mask: Train ids `(B, H, W)`.
        colors: How colours change, `(B, 4)`, for a transform that leaves them to the device.
        names: One per sample.
    """

    image: NDArray[np.uint8]
    mask: Mask
    colors: NDArray[np.float32]
    names: tuple[str, ...]


class RandomTransform(Protocol):
    """What training does to each sample."""

    @property
    def leaves_colors(self) -> bool:
        """Whether colours are changed later, on the device that trains."""
        ...

    def at(self, epoch: int) -> "RandomTransform":
        """Return the transform of an epoch; all its samples come out at one size."""
        ...

    def change(self, epoch: int, index: int) -> Any:
        """Draw what is done to one sample of one epoch; its `colors` are four numbers."""
        ...

    def smallest(self, change: Any) -> tuple[int, int]:
        """Return the height and width below which a decoded image would lose detail."""
        ...

    def partner(self, change: Any) -> tuple[int, tuple[int, int]] | None:
        """Return the index of a sample that adds to this one, and its smallest height and width."""
        ...

    def __call__(self, sample: Sample, change: Any, partner: Sample | None = None) -> Sample:
        """Do it, with the partner that was asked for."""
        ...


@dataclass(frozen=True)
class Loader:
    """The batches of a run, by step.

    Every epoch is another permutation of the samples, or, with `factors`, as many samples as there
    are, some of them more than once. The samples that do not fill a last batch are left out of that
    epoch; a data set smaller than a batch is gone through more than once.

    Attributes:
        dataset: Where samples come from.
        transform: What is done to each.
        seed: Of the run.
        batch_size: Samples per step of this process.
        threads: How many read ahead.
        rank: Number of this process.
        processes: How many processes share each step; each takes its own part of the batch.
        factors: How much more often than others each sample is drawn, `(N,)`; none for all alike.
    """

    dataset: Dataset
    transform: RandomTransform
    seed: int
    batch_size: int
    threads: int
    rank: int = 0
    processes: int = 1
    factors: NDArray[np.float64] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the samples are gone through once."""
        return max(1, len(self.dataset) // (self.batch_size * self.processes))

    def batches(self, first_step: int, last_step: int) -> Generator[Batch]:
        """Yield the batches of steps `first_step .. last_step - 1`."""
        indices = (index for step in range(first_step, last_step) for index in self.indices(step))
        ahead = BATCHES_AHEAD * self.batch_size
        samples = prefetched(self._sample, indices, threads=self.threads, ahead=ahead)
        for _ in range(first_step, last_step):
            yield stacked([next(samples) for _ in range(self.batch_size)])

    def indices(self, step: int) -> list[tuple[int, int]]:
        """List (epoch, sample index) of this process's part of a step's batch."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = epoch_order(self.seed, epoch, len(self.dataset), self.factors)
        total = self.batch_size * self.processes
        first = position * total + self.rank * self.batch_size
        places = np.arange(first, first + self.batch_size) % len(self.dataset)
        return [(epoch, int(index)) for index in order[places]]

    def _sample(self, place: tuple[int, int]) -> tuple[Sample, Sequence[float]]:
        transform = self.transform.at(place[0])
        change = transform.change(*place)
        # Only what the cut needs is decoded.
        sample = self.dataset.reduced(place[1], *transform.smallest(change))
        other = transform.partner(change)
        partner = other and self.dataset.reduced(other[0], *other[1])
        return transform(sample, change, partner), change.colors


def prefetched(
    function: Callable[[Input], Output], inputs: Iterable[Input], *, threads: int, ahead: int
) -> Generator[Output]:
    """Yield `function(input)` in order, computed by threads at most `ahead` inputs ahead.

    An exception of the function comes out where its result would have.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Output]] = deque()
        try:
            for value in inputs:
                waiting.append(pool.submit(function, value))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def stacked(samples: list[tuple[Sample, Sequence[float]]]) -> Batch:
    """Put samples of one size and how their colours change together."""
    return Batch(
        image=np.stack([sample.image for sample, _ in samples]),
        mask=np.stack([sample.mask for sample, _ in samples]),
        colors=np.array([colors for _, colors in samples], np.float32),
        names=tuple(sample.name for sample, _ in samples),
    )
