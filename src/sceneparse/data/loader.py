"""The loader: batches by step, in an order that depends on seed and step alone.

Threads prefetch the samples. Pillow, OpenCV and NumPy release the GIL while they decode and
resample, and threads, unlike processes, need not copy or pickle the samples.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.dataset import Dataset, Sample
from sceneparse.data.sampling import epoch_order
from sceneparse.labels import Mask

# Number of batches that threads prefetch.
BATCHES_AHEAD = 3

Input = TypeVar("Input")
Output = TypeVar("Output")


class Batch(NamedTuple):
    """Samples of one size, stacked.

    Attributes:
        image: Images `(B, H, W, C)` in 0..255, RGB or chosen bands.
        mask: Train ids `(B, H, W)`.
        color_jitter: Colour jitter of each image, `(B, 4)`, for the device to apply: factors of
            brightness, contrast and saturation in 0..2, and the shift of the hue as a share of the
            colour circle, in -0.5..0.5. It is 1, 1, 1 and 0 for an image that does not change.
        names: Name of each sample.
    """

    image: NDArray[np.uint8]
    mask: Mask
    color_jitter: NDArray[np.float32]
    names: tuple[str, ...]


class RandomTransform(Protocol):
    """The random transform of training samples."""

    @property
    def defers_color_jitter(self) -> bool:
        """Whether the training device applies the colour jitter to the batch."""
        ...

    def for_epoch(self, epoch: int) -> "RandomTransform":
        """Return the transform of an epoch, whose outputs all have the same size."""
        ...

    def draw_parameters(self, epoch: int, index: int) -> Any:
        """Draw the parameters for one sample of one epoch, with a `color_jitter` of 4 numbers."""
        ...

    def min_image_size(self, parameters: Any) -> tuple[int, int]:
        """Return the minimum height and width at which to decode the image."""
        ...

    def partner(self, parameters: Any) -> tuple[int, tuple[int, int]] | None:
        """Return index and minimum height and width of a second sample to mix in, if any."""
        ...

    def __call__(self, sample: Sample, parameters: Any, partner: Sample | None = None) -> Sample:
        """Transform a sample, with the partner that `partner` selects."""
        ...


@dataclass(frozen=True)
class Loader:
    """The batches of a run, by step.

    Each epoch is a new permutation of the samples; with `factors`, an epoch has the same length but
    repeats some samples. An epoch drops the samples that do not fill its last batch; a data set
    smaller than a batch is repeated to fill it.

    Attributes:
        dataset: The samples.
        transform: Random transform of each sample.
        seed: Seed of the run.
        batch_size: Samples per step of this process.
        threads: Number of threads that prefetch samples.
        rank: Rank of this process.
        world_size: Number of processes; each loads its own part of the batch of a step.
        factors: Repeat factor of each sample, `(N,)`; none for equal factors.
    """

    dataset: Dataset
    transform: RandomTransform
    seed: int
    batch_size: int
    threads: int
    rank: int = 0
    world_size: int = 1
    factors: NDArray[np.float64] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps per epoch."""
        return max(1, len(self.dataset) // (self.batch_size * self.world_size))

    def batches(self, first_step: int, last_step: int) -> Generator[Batch]:
        """Yield the batches of steps `first_step .. last_step - 1`."""
        indices = self._indices(range(first_step, last_step))
        ahead = BATCHES_AHEAD * self.batch_size
        samples = prefetch(self._sample, indices, threads=self.threads, ahead=ahead)
        for _ in range(first_step, last_step):
            yield collate([next(samples) for _ in range(self.batch_size)])

    def indices(self, step: int) -> list[tuple[int, int]]:
        """Return epoch and sample index of each sample that this process loads in a step."""
        return list(self._indices(range(step, step + 1)))

    def _indices(self, steps: range) -> Iterator[tuple[int, int]]:
        """Yield what `indices` returns for each of some steps; draw the order of an epoch once."""
        total = self.batch_size * self.world_size
        for epoch, of_epoch in groupby(steps, lambda step: step // self.steps_per_epoch):
            order = epoch_order(self.seed, epoch, len(self.dataset), self.factors)
            for step in of_epoch:
                first = step % self.steps_per_epoch * total + self.rank * self.batch_size
                positions = np.arange(first, first + self.batch_size) % len(self.dataset)
                yield from ((epoch, int(index)) for index in order[positions])

    def _sample(self, epoch_and_index: tuple[int, int]) -> tuple[Sample, Sequence[float]]:
        transform = self.transform.for_epoch(epoch_and_index[0])
        parameters = transform.draw_parameters(*epoch_and_index)
        # The image is decoded at the lowest resolution that the crop needs.
        sample = self.dataset.read_reduced(
            epoch_and_index[1], *transform.min_image_size(parameters)
        )
        other = transform.partner(parameters)
        partner = other and self.dataset.read_reduced(other[0], *other[1])
        return transform(sample, parameters, partner), parameters.color_jitter


def prefetch(
    function: Callable[[Input], Output], inputs: Iterable[Input], *, threads: int, ahead: int
) -> Generator[Output]:
    """Yield `function(input)` in order, computed by threads at most `ahead` inputs ahead.

    An exception of the function is raised in place of its result.
    """
    with ThreadPoolExecutor(threads) as pool:
        futures: deque[Future[Output]] = deque()
        try:
            for value in inputs:
                futures.append(pool.submit(function, value))
                if len(futures) > ahead:
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()


def collate(samples: list[tuple[Sample, Sequence[float]]]) -> Batch:
    """Stack samples of one size and their colour jitter."""
    return Batch(
        image=np.stack([sample.image for sample, _ in samples]),
        mask=np.stack([sample.mask for sample, _ in samples]),
        color_jitter=np.array([color_jitter for _, color_jitter in samples], np.float32),
        names=tuple(sample.name for sample, _ in samples),
    )
