"""A tile as every loss sees it, and the gradient that losses ask for together.

With p the softmax and t the true class of a pixel, the gradient of each loss here with respect to
the logit of class k is

    p_k (softmax_coefficient + class_coefficients_k) - target_coefficient [k = t] - smoothing_k

where the first and the third are numbers of the pixel, the second and the last of the class. So a
sum of losses takes one softmax and writes its gradient once, whatever the number of its terms.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.ops.upsampling import BITS_PER_NAT

# Of a batch: an image, rows, columns.
TileIndex = tuple[int, slice, slice]


class Pixels(NamedTuple):
    """The softmax of a tile and the ground truth: R rows of K pixels in C classes.

    Attributes:
        place: Where in the batch the tile lies.
        valid: Which pixels count `(R, K)`.
        true: Their classes `(R, K)`, int64, 0 where the pixel does not count.
        highest: The largest logits, in bits, `(R, K)`.
        own_bits: The logits of the true classes, less the largest, in bits, `(R, K)`.
        softmax: `(R, C, K)`, not yet divided by the norm.
        norm: Sum over the classes `(R, K)`.
        shifted: Logits less the largest in bits, `(R, C, K)`, for a loss that asks for them.
    """

    place: TileIndex
    valid: Tensor
    true: Tensor
    highest: Tensor
    own_bits: Tensor
    softmax: Tensor
    norm: Tensor
    shifted: Tensor | None

    @property
    def confidence(self) -> Tensor:
        """Probability of the true class `(R, K)`."""
        return self.own_bits.exp2() / self.norm

    @property
    def log_confidence(self) -> Tensor:
        """Its logarithm in nats `(R, K)`."""
        return (self.own_bits - self.norm.log2()) / BITS_PER_NAT


class TileGradient(NamedTuple):
    """What one loss makes of a tile: its total, and its gradient in parts.

    Attributes:
        total: Summed over the tile, in nats where the loss has a unit.
        softmax_coefficient: `(R, K)`, zero at void.
        target_coefficient: `(R, K)`, zero at void.
        class_coefficients: `(C,)`, or none for zero.
        smoothing: `(C,)` and what it is multiplied by at each pixel `(R, K)`, or none for zero.
    """

    total: Tensor
    softmax_coefficient: Tensor
    target_coefficient: Tensor
    class_coefficients: Tensor | None = None
    smoothing: tuple[Tensor, Tensor] | None = None

    def times(self, weight: float) -> "TileGradient":
        """Return that of the loss times a number."""
        if weight == 1:
            return self
        return TileGradient(
            self.total * weight,
            self.softmax_coefficient * weight,
            self.target_coefficient * weight,
            None if self.class_coefficients is None else self.class_coefficients * weight,
            None if self.smoothing is None else (self.smoothing[0] * weight, self.smoothing[1]),
        )


# Of a tile.
PixelLoss = Callable[[Pixels], TileGradient]


def tile_softmax(
    shifted: Tensor,
    highest: Tensor,
    target: Tensor,
    ignore_index: int,
    place: TileIndex,
    *,
    keeps_logits: bool = False,
) -> Pixels:
    """Take the softmax of a tile.

    Args:
        shifted: Logits less the largest in bits, `(R, C, K)`; overwritten unless they are kept.
        highest: The largest, in bits, `(R, K)`.
        target: Train ids `(R, K)`.
        ignore_index: Train id of void.
        place: Of the tile in its batch.
        keeps_logits: Whether a loss asks for the logits.
    """
    valid = target != ignore_index
    true = target.where(valid, 0).long()
    own_bits = shifted.gather(1, true[:, None])[:, 0]
    softmax = shifted.exp2() if keeps_logits else shifted.exp2_()
    norm = softmax.sum(dim=1)
    kept = shifted if keeps_logits else None
    return Pixels(place, valid, true, highest, own_bits, softmax, norm, kept)


def gradient_of(pixels: Pixels, terms: Sequence[TileGradient]) -> Tensor:
    """Return the gradient with respect to the logits in nats `(R, C, K)`; overwrites the softmax.

    For cross-entropy it is the softmax less the target (Bridle, 1990).
    """
    of_softmax = reduce(torch.add, [term.softmax_coefficient for term in terms])
    of_target = reduce(torch.add, [term.target_coefficient for term in terms])
    factor = (of_softmax / pixels.norm)[:, None]
    of_classes = [term.class_coefficients for term in terms if term.class_coefficients is not None]
    if of_classes:
        each = reduce(torch.add, of_classes)[:, None]
        factor = torch.addcmul(factor, each, (pixels.valid / pixels.norm)[:, None])
    gradient = pixels.softmax.mul_(factor)
    gradient.scatter_add_(1, pixels.true[:, None], -of_target[:, None])
    for term in terms:
        if term.smoothing is not None:
            gradient.sub_(term.smoothing[0][:, None] * term.smoothing[1][:, None])
    return gradient
