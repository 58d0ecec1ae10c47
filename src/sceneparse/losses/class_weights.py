"""What a pixel of each class counts, from how often the classes occur."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Weights = NDArray[np.float64]


def median_frequency(pixels: Counts, together: Counts) -> Weights:
    """Weigh classes by the median of all frequencies over their own (Eigen & Fergus, 2015, 6.3.2).

    The frequency of a class is its share of the pictures in which it occurs.

    Args:
        pixels: Pixels of each class, `(C,)`.
        together: Labelled pixels of all pictures in which the class occurs, `(C,)`.
    """
    present = pixels > 0
    frequency = pixels[present] / together[present]
    return _filled(present, np.median(frequency) / frequency) if present.any() else _even(pixels)


def enet(pixels: Counts) -> Weights:
    """Weigh classes by 1 / ln(1.02 + share of the pixels) (Paszke et al., 2016, section 5.2)."""
    present = pixels > 0
    share = pixels[present] / max(1, int(pixels.sum()))
    return _filled(present, 1 / np.log(1.02 + share)) if present.any() else _even(pixels)


def effective_number(pictures: Counts, beta: float) -> Weights:
    """Weigh classes by one over their effective number of samples (Cui et al., 2019, equation 2).

    A sample is a picture in which the class occurs: pixels of one region are nearly copies of each
    other, which the effective number is meant not to count. The mean over the classes is 1.

    Args:
        pictures: Pictures in which each class occurs, `(C,)`.
        beta: (N - 1) / N, with N the number of samples that there could be, below 1.
    """
    present = pictures > 0
    weights = (1 - beta) / (1 - beta ** pictures[present].astype(np.float64))
    return _filled(present, weights / weights.mean()) if present.any() else _even(pictures)


def softened(weights: Weights, power: float, least: float, most: float | None) -> Weights:
    """Take weights to a power, in 0..1, which brings them nearer to 1, and keep them in bounds."""
    return np.clip(weights**power, least, most)


def _filled(present: NDArray[np.bool_], weights: Weights) -> Weights:
    """Give classes that never occur, of which nothing is known, the median of the others."""
    filled = np.full(len(present), np.median(weights))
    filled[present] = weights
    return filled


def _even(counts: Counts) -> Weights:
    return np.ones(len(counts))
