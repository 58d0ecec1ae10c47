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
        hard |= valid & (sure <= counted.kthvalue(fewest).values)
    return hard * (len(counted) / hard.sum().clamp(min=1))
