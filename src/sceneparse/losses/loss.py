"""The base class of the losses, and a weighted sum of several.

A loss returns its mean times the number of valid pixels that it was given. The training loop
divides by the valid pixels of the whole batch, which gives the mean over all of its parts and
processes. For a mean over pixels this is exact. For a mean over classes, as in Dice, it weighs the
parts by their valid pixels, so the result depends on the number of processes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sceneparse.losses.settings import LossSettings
from sceneparse.losses.tile_gradient import TileLoss
from sceneparse.losses.tiled_batch import TiledBatch
from sceneparse.losses.tiled_loss import LossTerms, tiled_loss
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.upsampling import upsample


class LossOutput(NamedTuple):
    """Sums over pixels; the sums of several parts of a batch can be added.

    Attributes:
        total: Sum of the loss over valid pixels, a scalar that carries the gradient.
        confusion: int64 confusion matrix `(C, C + 1)`, as `tensor_confusion_matrix` returns it.
    """

    total: Tensor
    confusion: Tensor


class SegmentationLoss(nn.Module, ABC):
    """A loss, used alone or as a term of a `WeightedSum`.

    Attributes:
        ignore_index: Train id of void, which adds nothing to the loss or the gradient.
        weight: Factor on the loss.
        tiled: Compute the loss tile by tile instead of from logits of the target's size: the same
            numbers in less memory. Tests switch it off for slow references.
        needs_logits: Whether the loss of a tile needs its logits beside its softmax.
    """

    def __init__(self, settings: LossSettings, ignore_index: int) -> None:
        """Make the loss.

        Args:
            settings: The factor on the loss.
            ignore_index: Train id of void.
        """
        super().__init__()
        self.ignore_index = ignore_index
        self.weight = settings.weight
        self.tiled = True
        self.needs_logits = False

    @abstractmethod
    def untiled(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss from full-size logits, by its definition and without `weight`.

        Args:
            logits: In nats, `(B, C, H, W)`.
            target: Train ids `(B, H, W)`.
        """

    @abstractmethod
    def prepare(self, batch: TiledBatch) -> TileLoss:
        """Compute what the loss needs of the whole batch, and return the loss of a tile."""

    def forward(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> LossOutput:
        """Compute the loss at the size of the target; tiles are computed in fp32.

        Args:
            features: Input of the head, `(B, D, h, w)`.
            head: The 1×1 convolution to `(B, C, h, w)`.
            covered: Rows and columns of the padded feature map that the target covers.
            target: Train ids `(B, H, W)`.
        """
        return _weighted_sum([self], features, head, covered, target)


class WeightedSum(nn.Module):
    """The sum of losses times their weights; all of them share one softmax and one gradient.

    Attributes:
        losses: The terms.
        ignore_index: Train id of void, the same for all terms.
    """

    def __init__(self, losses: Sequence[SegmentationLoss]) -> None:
        """Make the sum, which is computed tile by tile if each of the losses is."""
        super().__init__()
        self.losses = list(losses)
        self.ignore_index = losses[0].ignore_index

    def forward(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> LossOutput:
        """Compute the sum; for the arguments see `SegmentationLoss.forward`."""
        return _weighted_sum(self.losses, features, head, covered, target)


def _weighted_sum(
    losses: Sequence[SegmentationLoss],
    features: Tensor,
    head: nn.Conv2d,
    covered: tuple[float, float],
    target: Tensor,
) -> LossOutput:
    if target.dtype == torch.uint16:
        # Older PyTorch releases have hardly any operations for uint16.
        target = target.int()
    ignore_index = losses[0].ignore_index
    if all(loss.tiled for loss in losses):
        terms = LossTerms(covered, ignore_index, losses)
        return LossOutput(*tiled_loss(features, head, target, terms))
    logits = upsample(head(features), covered, (target.shape[1], target.shape[2]))
    with torch.autocast(logits.device.type, enabled=False):
        exact = logits.float()
        total = reduce(torch.add, [loss.weight * loss.untiled(exact, target) for loss in losses])
    with torch.no_grad():
        prediction = logits.argmax(dim=1)
        confusion = tensor_confusion_matrix(prediction, target, head.out_channels, ignore_index)
    return LossOutput(total, confusion)
