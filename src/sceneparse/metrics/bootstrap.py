"""Bootstrap confidence intervals of scores, by resampling images (Efron, 1979).

Each resample draws as many images as the data set has, with replacement; its scores use the counts
summed over its images, as in `metrics.scores`. Two models are compared on the same resamples: this
pairing cancels the difficulty of the images, which both models share.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.metrics.scores import ConfusionMatrix

RESAMPLES = 1000
# Bounds of the 95 % interval, as quantiles of the resampled scores.
_QUANTILES = (0.025, 0.975)
# Resamples computed at a time, to bound memory: 100 × 20,000 images take 16 MB.
_BLOCK_SIZE = 100

# Correct, predicted and ground-truth pixels of each class: (3, C) for an image, (N, 3, C) for N.
ImageCounts = NDArray[np.int64]


class ConfidenceInterval(NamedTuple):
    """A score with its 95 % bootstrap confidence interval.

    Attributes:
        value: Score on the data set itself.
        low: 2.5 % quantile of the resampled scores.
        high: 97.5 % quantile of the resampled scores.
    """

    value: float
    low: float
    high: float


class ScoreIntervals(NamedTuple):
    """The scores of one model, with confidence intervals.

    Attributes:
        miou: Mean IoU over the classes that occur in the ground truth or in the prediction.
        pixel_accuracy: Share of valid pixels that are correct.
    """

    miou: ConfidenceInterval
    pixel_accuracy: ConfidenceInterval


class ScoreDifference(NamedTuple):
    """The difference of a score between two models.

    Attributes:
        gain: Score of the second model minus that of the first, with its confidence interval.
        superiority: Share of resamples in which the second model scores higher; a tie counts half.
    """

    gain: ConfidenceInterval
    superiority: float


class ScoreDifferences(NamedTuple):
    """The score differences between two models on the same images.

    Attributes:
        miou: Difference in mean IoU.
        pixel_accuracy: Difference in pixel accuracy.
    """

    miou: ScoreDifference
    pixel_accuracy: ScoreDifference


def image_counts(confusion: ConfusionMatrix) -> ImageCounts:
    """Reduce the confusion matrix `(C, C + 1)` of an image to the counts `(3, C)` of its scores."""
    return np.stack([np.diagonal(confusion), confusion[:, :-1].sum(axis=0), confusion.sum(axis=1)])


def miou_and_pixel_accuracy(
    totals: NDArray[np.number],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mIoU and pixel accuracy from summed counts, as `metrics.scores` does.

    Args:
        totals: Counts summed over images, `(..., 3, C)`.

    Returns:
        mIoU and pixel accuracy, `(...)` each, in 0..1. The mean leaves out classes that neither
        occur nor are predicted; NaN if no class is left.
    """
    right, predicted, true = np.moveaxis(totals.astype(np.float64), -2, 0)
    union = true + predicted - right
    iou = np.divide(right, union, out=np.zeros_like(union), where=union > 0)
    with np.errstate(invalid="ignore"):
        return (
            iou.sum(axis=-1) / np.count_nonzero(union, axis=-1),
            right.sum(axis=-1) / true.sum(axis=-1),
        )


def bootstrap_intervals(
    counts: ImageCounts, resamples: int = RESAMPLES, seed: int = 0
) -> ScoreIntervals:
    """Compute the scores with their 95 % confidence intervals.

    Args:
        counts: Counts of each image, `(N, 3, C)`.
        resamples: Number of resamples.
        seed: Seed of the resampling.
    """
    actual, resampled = _scores_and_resampled_scores(counts, resamples, seed)
    return ScoreIntervals(*map(_interval, actual, resampled))


def bootstrap_differences(
    first: ImageCounts, second: ImageCounts, resamples: int = RESAMPLES, seed: int = 0
) -> ScoreDifferences:
    """Compare two models on the same resamples.

    Args:
        first: Counts of each image for the first model, `(N, 3, C)`.
        second: Counts for the second model, of the same images in the same order.
        resamples: Number of resamples.
        seed: Seed of the resampling.

    Raises:
        ValueError: If the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"first is {first.shape}, second {second.shape}")
    actual, resampled = _scores_and_resampled_scores(first, resamples, seed)
    other_actual, other_resampled = _scores_and_resampled_scores(second, resamples, seed)
    return ScoreDifferences(*map(_difference, other_actual - actual, other_resampled - resampled))


def _scores_and_resampled_scores(
    counts: ImageCounts, resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of the data set `(2,)` and those of each resample `(2, resamples)`."""
    images, _, classes = counts.shape
    # In float64, sums of integers below 2^53 are exact and the matrix product is fast.
    flat = counts.reshape(images, 3 * classes).astype(np.float64)
    resampled = [
        np.stack(miou_and_pixel_accuracy((weights @ flat).reshape(-1, 3, classes)))
        for weights in _resampling_weights(images, resamples, seed)
    ]
    return np.stack(miou_and_pixel_accuracy(counts.sum(axis=0))), np.concatenate(resampled, axis=1)


def _resampling_weights(images: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of a block of resamples holds each image, `(rows, N)`."""
    random = np.random.default_rng(seed)
    for first in range(0, resamples, _BLOCK_SIZE):
        rows = min(_BLOCK_SIZE, resamples - first)
        chosen = random.integers(0, images, (rows, images))
        chosen += images * np.arange(rows)[:, None]
        weights = np.bincount(chosen.ravel(), minlength=rows * images)
        yield weights.reshape(rows, images).astype(np.float64)


def _interval(value: NDArray[np.float64], resampled: NDArray[np.float64]) -> ConfidenceInterval:
    known = resampled[~np.isnan(resampled)]
    low, high = np.quantile(known, _QUANTILES) if known.size else (np.nan, np.nan)
    return ConfidenceInterval(float(value), float(low), float(high))


def _difference(value: NDArray[np.float64], resampled: NDArray[np.float64]) -> ScoreDifference:
    superiority = np.mean(resampled > 0) + np.mean(resampled == 0) / 2
    return ScoreDifference(_interval(value, resampled), float(superiority))
