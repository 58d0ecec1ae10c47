"""The order of the samples in an epoch, and how often each sample is drawn."""

import numpy as np
from numpy.typing import NDArray

# Random stream of the sample order; transforms use the other streams.
_STREAM = 0
# Its multiples modulo 1 are spread more evenly than those of any other number.
_GOLDEN = (5**0.5 - 1) / 2


def repeat_factors(pixels: NDArray[np.int64], threshold: float) -> NDArray[np.float64]:
    """Compute the repeat factors of samples, by which samples with rare classes are oversampled.

    The factor of a sample is that of its rarest class, `max(1, sqrt(threshold / f))`, with `f` the
    share of samples that contain the class (Gupta et al., 2019, LVIS, section 4).

    Args:
        pixels: Number of pixels of each class in each sample, `(N, C)`.
        threshold: Share of samples below which a class is rare, in 0..1.

    Returns:
        Repeat factors `(N,)`, at least 1.
    """
    has_class = pixels > 0
    shares = has_class.mean(axis=0)
    factors = np.sqrt(threshold / np.maximum(shares, 1 / len(pixels)))
    return np.where(has_class, np.maximum(1, factors), 1).max(axis=1, initial=1)


def epoch_order(
    seed: int, epoch: int, count: int, factors: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Draw the sample indices of one epoch, in random order.

    Without factors, each sample occurs once. With factors `r`, a sample occurs `n = r * count /
    sum(r)` times on average: `n` rounded down or up in each epoch, and evenly over the epochs.
    This is systematic sampling: each sample occupies an interval of length `n`, and a grid of
    spacing 1, shifted from epoch to epoch, selects the intervals.

    Args:
        seed: Seed of the run.
        epoch: Index of the epoch.
        count: Number of samples.
        factors: Repeat factors of the samples, `(count,)`; none for equal factors.

    Returns:
        Sample indices, `(count,)`.
    """
    random = np.random.default_rng([_STREAM, seed, epoch])
    if factors is None:
        return random.permutation(count)
    order = np.random.default_rng([_STREAM, seed]).permutation(count)
    ends = np.cumsum(factors[order])
    offset = (_GOLDEN * (epoch + 1)) % 1
    positions = (np.arange(count) + offset) * (ends[-1] / count)
    indices = order[np.minimum(np.searchsorted(ends, positions, side="right"), count - 1)]
    return random.permutation(indices)


def weighted_index(position: float, count: int, cumulative: NDArray[np.float64] | None) -> int:
    """Return the index whose interval contains a position, for drawing with weights.

    Args:
        position: Position in 0..1, drawn uniformly.
        count: Number of indices.
        cumulative: Cumulative sums of the weights, `(count,)`; none for equal weights.
    """
    if cumulative is None:
        return min(int(position * count), count - 1)
    index = np.searchsorted(cumulative, position * cumulative[-1], side="right")
    return min(int(index), count - 1)
