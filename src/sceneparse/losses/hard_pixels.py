"""Hard pixels: those that are not right yet are learned from alone."""

import math
from collections.abc import Callable

from torch import Tensor


def hard_pixels(
    target: Tensor,  # noqa: ARG001 - asked as any `Emphasis` is
    valid: Tensor,
    confidence: Callable[[], Tensor],
    *,
    threshold: float,
    least: float,
) -> Tensor:
    """Return what each pixel counts `(B, H, W)`: 0 unless it is hard, and on average 1.

    Online hard example mining (Shrivastava et al., 2016) of pixels, as for FCRN (Wu et al., 2016).

    Args:
        target: Train ids `(B, H, W)`.
        valid: Which of them count.
        confidence: Gives the probability of the true class of each pixel `(B, H, W)`.
        threshold: Below this probability a pixel is hard.
        least: Share of the valid pixels that are kept at least, those of the lowest probability.
    """
    sure = confidence()
    counted = sure[valid]
    hard = valid & (sure < threshold)
    fewest = math.ceil(least * len(counted))
    if fewest:
        hard |= valid & (sure <= _kth(counted, fewest))
    return hard * (len(counted) / hard.sum().clamp(min=1))


def _kth(values: Tensor, k: int) -> Tensor:
    """Return the k-th smallest of values `(N,)`, counted from 1."""
    if values.device.type == "cpu":
        return values.kthvalue(k).values
    # On CUDA `kthvalue` has one block of threads at work, and deterministic algorithms refuse it.
    return values.sort().values[k - 1]
