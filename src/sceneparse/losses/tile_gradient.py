"""The softmax of a tile of pixels, and the gradient that losses return for it.

With the softmax p and the true class t of a pixel, the gradient of each loss in this package with
respect to the logit of class k is

    p_k (softmax_coefficient + class_coefficients_k) - target_coefficient [k = t] - smoothing_k

The first and the third coefficient vary by pixel, the second by class. A sum of losses adds up the
coefficients of its terms, so it computes one softmax and one gradient for any number of terms.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.ops.upsampling import BITS_PER_NAT

# The index of a tile in a batch: image, rows, columns.
TileIndex = tuple[int, slice, slice]


class TileSoftmax(NamedTuple):
    """The softmax and the ground truth of a tile: R rows of K pixels in C classes.

    Logits are in bits: multiplied by log2(e), so that `exp2` replaces `exp`.

    Attributes:
        tile_index: Image, rows and columns of the tile in its batch.
        valid: Mask `(R, K)` of the pixels that are not void.
        true_class: Train ids `(R, K)`, int64; 0 at void.
        max_logit: Largest logit of each pixel, in bits, `(R, K)`.
        true_logit: Logit of the true class minus the largest logit, in bits, `(R, K)`.
        exponentials: 2^(logit - max_logit), `(R, C, K)`; divided by `exponential_sum`, it is the
            softmax.
        exponential_sum: Sum of `exponentials` over the classes, `(R, K)`.
        shifted_logits: Logits minus the largest, in bits, `(R, C, K)`, if a loss needs them.
    """

    tile_index: TileIndex
    valid: Tensor
    true_class: Tensor
    max_logit: Tensor
    true_logit: Tensor
    exponentials: Tensor
    exponential_sum: Tensor
    shifted_logits: Tensor | None

    @property
    def true_probability(self) -> Tensor:
        """Probability of the true class `(R, K)`."""
        return self.true_logit.exp2() / self.exponential_sum

    @property
    def true_log_probability(self) -> Tensor:
        """Natural logarithm of the probability of the true class `(R, K)`."""
        return (self.true_logit - self.exponential_sum.log2()) / BITS_PER_NAT


class TileGradient(NamedTuple):
    """The value of a loss on a tile, and the coefficients of its gradient.

    Attributes:
        total: Sum of the loss over the tile, a scalar.
        softmax_coefficient: `(R, K)`, zero at void.
        target_coefficient: `(R, K)`, zero at void.
        class_coefficients: `(C,)`; none for zero.
        smoothing: Factors `(C,)` and `(R, K)`, whose product is smoothing_k; none for zero.
    """

    total: Tensor
    softmax_coefficient: Tensor
    target_coefficient: Tensor
    class_coefficients: Tensor | None = None
    smoothing: tuple[Tensor, Tensor] | None = None

    def scaled(self, weight: float) -> "TileGradient":
        """Multiply the loss by a number."""
        if weight == 1:
            return self
        return TileGradient(
            self.total * weight,
            self.softmax_coefficient * weight,
            self.target_coefficient * weight,
            None if self.class_coefficients is None else self.class_coefficients * weight,
            None if self.smoothing is None else (self.smoothing[0] * weight, self.smoothing[1]),
        )


TileLoss = Callable[[TileSoftmax], TileGradient]


def tile_softmax(
    shifted_logits: Tensor,
    max_logit: Tensor,
    target: Tensor,
    ignore_index: int,
    tile_index: TileIndex,
    *,
    keep_logits: bool = False,
) -> TileSoftmax:
    """Compute the softmax of a tile.

    Args:
        shifted_logits: Logits minus the largest, in bits, `(R, C, K)`; overwritten unless
            `keep_logits`.
        max_logit: Largest logit, in bits, `(R, K)`.
        target: Train ids `(R, K)`.
        ignore_index: Train id of void.
        tile_index: Image, rows and columns of the tile in its batch.
        keep_logits: Keep the shifted logits for a loss that needs them.
    """
    valid = target != ignore_index
    true_class = target.where(valid, 0).long()
    true_logit = shifted_logits.gather(1, true_class[:, None])[:, 0]
    exponentials = shifted_logits.exp2() if keep_logits else shifted_logits.exp2_()
    return TileSoftmax(
        tile_index=tile_index,
        valid=valid,
        true_class=true_class,
        max_logit=max_logit,
        true_logit=true_logit,
        exponentials=exponentials,
        exponential_sum=exponentials.sum(dim=1),
        shifted_logits=shifted_logits if keep_logits else None,
    )


def logit_gradient(tile: TileSoftmax, terms: Sequence[TileGradient]) -> Tensor:
    """Compute the gradient of a sum of losses with respect to the logits of a tile, in nats.

    For cross-entropy it is the softmax minus the target (Bridle, 1990).

    Args:
        tile: The softmax of the tile; `exponentials` is overwritten.
        terms: What each loss returned for the tile.

    Returns:
        The gradient `(R, C, K)`.
    """
    softmax_coefficient = reduce(torch.add, [term.softmax_coefficient for term in terms])
    target_coefficient = reduce(torch.add, [term.target_coefficient for term in terms])
    factor = (softmax_coefficient / tile.exponential_sum)[:, None]
    by_class = [term.class_coefficients for term in terms if term.class_coefficients is not None]
    if by_class:
        class_coefficients = reduce(torch.add, by_class)[:, None]
        inverse_sum = (tile.valid / tile.exponential_sum)[:, None]
        factor = torch.addcmul(factor, class_coefficients, inverse_sum)
    gradient = tile.exponentials.mul_(factor)
    gradient.scatter_add_(1, tile.true_class[:, None], -target_coefficient[:, None])
    for term in terms:
        if term.smoothing is not None:
            gradient.sub_(term.smoothing[0][:, None] * term.smoothing[1][:, None])
    return gradient
