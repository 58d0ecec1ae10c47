"""In which order the samples of an epoch come, and how often each of them does."""

import numpy as np
from numpy.typing import NDArray

# Of the order of samples; transforms take the other streams of random numbers.
_STREAM = 0
# Multiples of it, modulo 1, lie more evenly than those of any other number.
_GOLDEN = (5**0.5 - 1) / 2


def repeat_factors(pixels: NDArray[np.int64], threshold: float) -> NDArray[np.float64]:
    """Return how much more often than others samples are drawn that hold rare classes.

    A sample's factor is that of its rarest class, `max(1, sqrt(threshold / f))`, where `f` is the
    share of samples that hold the class (Gupta et al., 2019, LVIS, section 4).

    Args:
        pixels: Pixels of each class in each sample, `(N, C)`.
        threshold: Share of samples below which a class is rare, in 0..1.

    Returns:
        `(N,)`, at least 1.
    """
    holds = pixels > 0
    shares = holds.mean(axis=0)
    factors = np.sqrt(threshold / np.maximum(shares, 1 / len(pixels)))
    return np.where(holds, np.maximum(1, factors), 1).max(axis=1, initial=1)


def epoch_order(
    seed: int, epoch: int, samples: int, factors: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Return the samples of one epoch, as many as there are, in a random order.

    Without factors each comes once. With them one of factor `r` comes `n = r * samples / sum(r)`
    times on average: rounded down or up in each epoch, and evenly over the epochs. (Systematic
    sampling: the samples lie on a line, each as long as its `n`, and one is drawn at every whole
    number; from epoch to epoch the numbers are shifted.)

    Args:
        seed: Of the run.
        epoch: Which one.
        samples: How many there are.
        factors: How much more often than others each is drawn, `(samples,)`; none for all alike.
    """
    random = np.random.default_rng([_STREAM, seed, epoch])
    if factors is None:
        return random.permutation(samples)
    line = np.random.default_rng([_STREAM, seed]).permutation(samples)
    ends = np.cumsum(factors[line])
    shift = (_GOLDEN * (epoch + 1)) % 1
    places = (np.arange(samples) + shift) * (ends[-1] / samples)
    drawn = line[np.minimum(np.searchsorted(ends, places, side="right"), samples - 1)]
    return random.permutation(drawn)


def sample_at(place: float, samples: int, cumulative: NDArray[np.float64] | None) -> int:
    """Return the sample at a place in 0..1 of all, each as wide as it is often drawn.

    Args:
        place: Drawn evenly.
        samples: How many there are.
        cumulative: Sums of the factors up to each sample, `(samples,)`; none for all alike.
    """
    if cumulative is None:
        return min(int(place * samples), samples - 1)
    found = np.searchsorted(cumulative, place * cumulative[-1], side="right")
    return min(int(found), samples - 1)
