"""Class weights computed from the class frequencies of a data set."""

import numpy as np
from numpy.typing import NDArray

# Pixels of each class in each image, (N, C).
ClassStatistics = NDArray[np.int64]
# Factor on the loss of the pixels of each class, (C,).
ClassWeights = NDArray[np.float64]


def median_frequency(class_statistics: ClassStatistics) -> ClassWeights:
    """Compute median-frequency weights (Eigen & Fergus, 2015, section 6.3.2).

    The frequency of a class is its share of the images in which it occurs. Its weight is the
    median of all frequencies divided by its frequency.

    Args:
        class_statistics: Pixels of each class in each image, `(N, C)`.
    """
    pixels = class_statistics.sum(axis=0)
    present = pixels > 0
    image_pixels = (class_statistics > 0).T @ class_statistics.sum(axis=1)
    frequency = pixels[present] / image_pixels[present]
    return (
        _with_absent_classes(present, np.median(frequency) / frequency)
        if present.any()
        else _equal_weights(class_statistics)
    )


def median_share(class_statistics: ClassStatistics) -> ClassWeights:
    """Divide the median of the classes' shares of all pixels by the share of each class.

    Unlike `median_frequency`, it gives a large weight to a class that occurs in few images but is
    large there.

    Args:
        class_statistics: Pixels of each class in each image, `(N, C)`.
    """
    pixels = class_statistics.sum(axis=0)
    present = pixels > 0
    found = pixels[present]
    return (
        _with_absent_classes(present, np.median(found) / found)
        if present.any()
        else _equal_weights(class_statistics)
    )


def clipped_power(
    weights: ClassWeights, power: float, min_weight: float, max_weight: float | None
) -> ClassWeights:
    """Raise weights to a power in 0..1, which brings them nearer to 1, and clip them."""
    return np.clip(weights**power, min_weight, max_weight)


def _with_absent_classes(present: NDArray[np.bool_], weights: ClassWeights) -> ClassWeights:
    """Give the median weight to the classes that never occur."""
    filled = np.full(len(present), np.median(weights))
    filled[present] = weights
    return filled


def _equal_weights(class_statistics: ClassStatistics) -> ClassWeights:
    return np.ones(class_statistics.shape[1])
