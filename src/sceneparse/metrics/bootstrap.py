"""How scores would vary with other images: the bootstrap over images (Efron, 1979).

A data set is drawn anew from its own images, with repetition, many times; the scores of each draw
come from sums over its images, by the rules of `metrics`. Two ways of parsing the same images
are compared on the same draws: what is hard in an image is hard for both, and cancels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.metrics.scores import Matrix

RESAMPLES = 1000
# What lies between these shares of the draws is the 95 % interval.
_BOUNDS = (0.025, 0.975)
# Draws at a time, which bounds the memory: 100 × 20,000 images are 16 MB.
_BLOCK = 100

# Pixels of each class that are right, that were predicted, and that are there: (3, C); of images:
# (N, 3, C).
ImageCounts = NDArray[np.int64]


class Interval(NamedTuple):
    """A score and where it would lie on 95 % of draws.

    Attributes:
        value: On the images themselves.
        low: 2.5 % of the draws lie below.
        high: 2.5 % lie above.
    """

    value: float
    low: float
    high: float


class Intervals(NamedTuple):
    """The scores of one way of parsing.

    Attributes:
        miou: Mean IoU over the classes that occur in the ground truth or in the prediction.
        pixel_accuracy: Share of valid pixels that are right.
    """

    miou: Interval
    pixel_accuracy: Interval


class Difference(NamedTuple):
    """How much higher a score is for the second of two.

    Attributes:
        gain: Second less first, with its interval.
        superiority: Share of draws on which the second is higher; equal ones count half.
    """

    gain: Interval
    superiority: float


class Differences(NamedTuple):
    """How the scores of two ways of parsing the same images differ.

    Attributes:
        miou: In mean IoU.
        pixel_accuracy: In pixel accuracy.
    """

    miou: Difference
    pixel_accuracy: Difference


def image_counts(confusion: Matrix) -> ImageCounts:
    """Take from a confusion matrix `(C, C + 1)` the `(3, C)` numbers that the scores need."""
    return np.stack([np.diagonal(confusion), confusion[:, :-1].sum(axis=0), confusion.sum(axis=1)])


def scores(totals: NDArray[np.number]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mIoU and pixel accuracy of sums of counts `(..., 3, C)`, by the rules of `metrics`.

    Classes that neither occur nor were predicted are left out of the mean; NaN if nothing is left.
    """
    right, predicted, true = np.moveaxis(totals.astype(np.float64), -2, 0)
    union = true + predicted - right
    iou = np.divide(right, union, out=np.zeros_like(union), where=union > 0)
    with np.errstate(invalid="ignore"):
        return (
            iou.sum(axis=-1) / np.count_nonzero(union, axis=-1),
            right.sum(axis=-1) / true.sum(axis=-1),
        )


def intervals(counts: ImageCounts, resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """Compute scores and their 95 % intervals.

    Args:
        counts: Of images, `(N, 3, C)`.
        resamples: Number of draws.
        seed: Of the draws.
    """
    own, drawn = _own_and_drawn(counts, resamples, seed)
    return Intervals(*map(_interval, own, drawn))


def differences(
    first: ImageCounts, second: ImageCounts, resamples: int = RESAMPLES, seed: int = 0
) -> Differences:
    """Compare two ways of parsing on the same draws.

    Args:
        first: Counts of the one, `(N, 3, C)`.
        second: Counts of the other, of the same images in the same order.
        resamples: Number of draws.
        seed: Of the draws.

    Raises:
        ValueError: If the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"first is {first.shape}, second {second.shape}")
    own, drawn = _own_and_drawn(first, resamples, seed)
    other_own, other_drawn = _own_and_drawn(second, resamples, seed)
    return Differences(*map(_difference, other_own - own, other_drawn - drawn))


def _own_and_drawn(
    counts: ImageCounts, resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score the images `(2,)` and the draws `(2, resamples)`."""
    images, _, classes = counts.shape
    # Sums of whole numbers below 2^53 are exact, and a product of matrices is fast.
    flat = counts.reshape(images, 3 * classes).astype(np.float64)
    drawn = [
        np.stack(scores((times @ flat).reshape(-1, 3, classes)))
        for times in _draws(images, resamples, seed)
    ]
    return np.stack(scores(counts.sum(axis=0))), np.concatenate(drawn, axis=1)


def _draws(images: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each image is in each of some draws, `(draws, N)`."""
    random = np.random.default_rng(seed)
    for first in range(0, resamples, _BLOCK):
        draws = min(_BLOCK, resamples - first)
        chosen = random.integers(0, images, (draws, images))
        chosen += images * np.arange(draws)[:, None]
        times = np.bincount(chosen.ravel(), minlength=draws * images)
        yield times.reshape(draws, images).astype(np.float64)


def _interval(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> Interval:
    known = drawn[~np.isnan(drawn)]
    low, high = np.quantile(known, _BOUNDS) if known.size else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def _difference(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> Difference:
    superiority = np.mean(drawn > 0) + np.mean(drawn == 0) / 2
    return Difference(_interval(value, drawn), float(superiority))
