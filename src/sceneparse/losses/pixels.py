"""A tile as every loss sees it, and the gradient that losses ask for together.

With p the softmax and t the true class of a pixel, the gradient of each loss here with respect to
the logit of class k is

    p_k (push + slope_k) - own [k = t] - spread_k

where push and own are numbers of the pixel, slope and spread of the class. So a sum of losses
takes one softmax and writes its gradient once, whatever the number of its terms.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.ops.upsampling import BITS_PER_NAT

# Of a batch: an image, rows, columns.
Place = tuple[int, slice, slice]


class Pixels(NamedTuple):
    """The softmax of a tile and the truth: R rows of K pixels in C classes.

    Attributes:
        place: Where in the batch the tile lies.
        valid: Which pixels count `(R, K)`.
        true: Their classes `(R, K)`, int64, 0 where the pixel does not count.
        highest: The largest logits, in bits, `(R, K)`.
        own_bits: The logits of the true classes, less the largest, in bits, `(R, K)`.
        softmax: `(R, C, K)`, not yet divided by the norm.
        norm: Sum over the classes `(R, K)`.
        lowered: Logits less the largest in bits, `(R, C, K)`, for a loss that asks for them.
    """

    place: Place
    valid: Tensor
    true: Tensor
    highest: Tensor
    own_bits: Tensor
    softmax: Tensor
    norm: Tensor
    lowered: Tensor | None

    @property
    def confidence(self) -> Tensor:
        """Probability of the true class `(R, K)`."""
        return self.own_bits.exp2() / self.norm

    @property
    def log_confidence(self) -> Tensor:
        """Its logarithm in nats `(R, K)`."""
        return (self.own_bits - self.norm.log2()) / BITS_PER_NAT


class Pull(NamedTuple):
    """What one loss makes of a tile: its total, and its gradient in parts.

    Attributes:
        total: Summed over the tile, in nats where the loss has a unit.
        push: `(R, K)`, zero at void.
        own: `(R, K)`, zero at void.
        slope: `(C,)`, or none for zero.
        spread: `(C,)` and what it is multiplied by at each pixel `(R, K)`, or none for zero.
    """

    total: Tensor
    push: Tensor
    own: Tensor
    slope: Tensor | None = None
    spread: tuple[Tensor, Tensor] | None = None

    def times(self, weight: float) -> "Pull":
        """Return that of the loss times a number."""
        if weight == 1:
            return self
        return Pull(
            self.total * weight,
            self.push * weight,
            self.own * weight,
            None if self.slope is None else self.slope * weight,
            None if self.spread is None else (self.spread[0] * weight, self.spread[1]),
        )


# Of a tile.
PixelLoss = Callable[[Pixels], Pull]


def softened(
    lowered: Tensor,
    highest: Tensor,
    target: Tensor,
    ignore_index: int,
    place: Place,
    *,
    keeps_logits: bool = False,
) -> Pixels:
    """Take the softmax of a tile.

    Args:
        lowered: Logits less the largest in bits, `(R, C, K)`; overwritten unless they are kept.
        highest: The largest, in bits, `(R, K)`.
        target: Train ids `(R, K)`.
        ignore_index: Train id of void.
        place: Of the tile in its batch.
        keeps_logits: Whether a loss asks for the logits.
    """
    valid = target != ignore_index
    true = target.where(valid, 0).long()
    own_bits = lowered.gather(1, true[:, None])[:, 0]
    softmax = lowered.exp2() if keeps_logits else lowered.exp2_()
    norm = softmax.sum(dim=1)
    kept = lowered if keeps_logits else None
    return Pixels(place, valid, true, highest, own_bits, softmax, norm, kept)


def gradient_of(pixels: Pixels, pulls: Sequence[Pull]) -> Tensor:
    """Return the gradient with respect to the logits in nats `(R, C, K)`; overwrites the softmax.

    For cross-entropy it is the softmax less the target (Bridle, 1990).
    """
    push = reduce(torch.add, [pull.push for pull in pulls])
    own = reduce(torch.add, [pull.own for pull in pulls])
    factor = (push / pixels.norm)[:, None]
    slopes = [pull.slope for pull in pulls if pull.slope is not None]
    if slopes:
        slope = reduce(torch.add, slopes)
        factor = torch.addcmul(factor, slope[:, None], (pixels.valid / pixels.norm)[:, None])
    gradient = pixels.softmax.mul_(factor)
    gradient.scatter_add_(1, pixels.true[:, None], -own[:, None])
    for pull in pulls:
        if pull.spread is not None:
            gradient.sub_(pull.spread[0][:, None] * pull.spread[1][:, None])
    return gradient
