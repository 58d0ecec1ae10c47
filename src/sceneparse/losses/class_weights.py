"""Class weights from how often the classes occur."""

import numpy as np
from numpy.typing import NDArray

# Pixels of each class in each image, (N, C).
ClassStatistics = NDArray[np.int64]
# Weight of a pixel of each class, (C,).
ClassWeights = NDArray[np.float64]


def median_frequency(class_statistics: ClassStatistics) -> ClassWeights:
    """Weigh classes by the median of all frequencies over their own (Eigen & Fergus, 2015, 6.3.2).

    The frequency of a class is its share of the images in which it occurs.
    """
    pixels = class_statistics.sum(axis=0)
    present = pixels > 0
    together = (class_statistics > 0).T @ class_statistics.sum(axis=1)
    frequency = pixels[present] / together[present]
    return (
        _filled(present, np.median(frequency) / frequency)
        if present.any()
        else _even(class_statistics)
    )


def median_share(class_statistics: ClassStatistics) -> ClassWeights:
    """Weigh classes by the median of their shares of all pixels over their own.

    Unlike in `median_frequency`, a class that is large where it occurs but seldom occurs counts as
    rare too.
    """
    pixels = class_statistics.sum(axis=0)
    present = pixels > 0
    found = pixels[present]
    return _filled(present, np.median(found) / found) if present.any() else _even(class_statistics)


def tempered(
    weights: ClassWeights, power: float, min_weight: float, max_weight: float | None
) -> ClassWeights:
    """Take weights to a power, in 0..1, which brings them nearer to 1, and keep them in bounds."""
    return np.clip(weights**power, min_weight, max_weight)


def _filled(present: NDArray[np.bool_], weights: ClassWeights) -> ClassWeights:
    """Give classes that never occur, of which nothing is known, the median of the others."""
    filled = np.full(len(present), np.median(weights))
    filled[present] = weights
    return filled


def _even(class_statistics: ClassStatistics) -> ClassWeights:
    return np.ones(class_statistics.shape[1])
