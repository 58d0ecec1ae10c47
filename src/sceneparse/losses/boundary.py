"""Pixels near a boundary between two classes, which count more than those inside."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

# From so many standard deviations on, a boundary is too far to count.
_REACH = 3


def near_boundary(
    target: Tensor,
    valid: Tensor,
    confidence: Callable[[], Tensor],  # noqa: ARG001 - asked as any `Emphasis` is
    *,
    extra: float,
    sigma: float,
) -> Tensor:
    """Return what each pixel counts `(B, H, W)`: 1 + extra · exp(-d² / 2 sigma²).

    d is the distance to the nearest boundary, as for U-Net (Ronneberger et al., 2015, equation 2),
    where it is that to the two nearest cells. Where one side of an edge is void, nothing is known
    of a boundary, and there is none.

    Args:
        target: Train ids `(B, H, W)`.
        valid: Which of them count.
        confidence: Not asked for.
        extra: What a pixel at a boundary counts beside 1.
        sigma: How fast that falls, in pixels.
    """
    reach = math.ceil(_REACH * sigma)
    bell = [math.exp(-((shift / sigma) ** 2) / 2) for shift in range(reach + 1)]
    near = at_boundary(target, valid).float()
    # The bell of a distance is the product of those of its rows and columns: no distance is needed.
    for dim in (1, 2):
        near = _widest(near, bell, dim)
    return 1 + extra * near


def at_boundary(target: Tensor, valid: Tensor) -> Tensor:
    """Find the pixels `(B, H, W)` that are side by side with one of another class."""
    found = torch.zeros_like(valid)
    for dim in (1, 2):
        length = target.shape[dim] - 1
        one, next_one = (target.narrow(dim, start, length) for start in (0, 1))
        known = valid.narrow(dim, 0, length) & valid.narrow(dim, 1, length)
        differs = (one != next_one) & known
        for start in (0, 1):
            found.narrow(dim, start, length).logical_or_(differs)
    return found


def _widest(values: Tensor, bell: list[float], dim: int) -> Tensor:
    """Return at each place the largest of the values around it, each lowered by the bell."""
    length = values.shape[dim]
    widest = values.clone()
    for shift, factor in enumerate(bell[:length]):
        for source, goal in ((shift, 0), (0, shift)):
            moved = values.narrow(dim, source, length - shift) * factor
            place = widest.narrow(dim, goal, length - shift)
            torch.maximum(place, moved, out=place)
    return widest
