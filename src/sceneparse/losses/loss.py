"""What every loss is: a mean over a batch, alone or in a weighted sum of several.

A loss returns its mean times the number of valid pixels of what it saw, so that the loop, which
divides by the valid pixels of the whole batch, gets the mean over all parts and processes. Where
the mean is one over pixels, that is their sum. Where it is one over classes, as for Dice, the parts
count by their valid pixels; several processes then do not compute what one would.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from sceneparse.losses.batch import Batch
from sceneparse.losses.pixels import PixelLoss
from sceneparse.losses.settings import LossSettings
from sceneparse.losses.sums import LossSum
from sceneparse.losses.tiled import Problem, tiled_loss
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.upsampling import upsample


class SegmentationLoss(nn.Module, ABC):
    """A loss that can be alone, or one of a sum.

    Attributes:
        ignore_index: Train id of pixels that count neither in the loss nor in the gradient.
        weight: Factor on the loss.
        tiled: Whether it is computed tile by tile instead of on logits of the target's size:
            the same numbers in less memory. Slow references in tests switch it off.
        needs_logits: Whether its tiles need the logits beside their softmax.
    """

    def __init__(self, settings: LossSettings, ignore_index: int) -> None:
        """Set the attributes."""
        super().__init__()
        self.ignore_index = ignore_index
        self.weight = settings.weight
        self.tiled = True
        self.needs_logits = False

    @abstractmethod
    def plain(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute it as it is defined, by autograd, without its weight.

        Args:
            logits: In nats, `(B, C, H, W)`.
            target: Train ids `(B, H, W)`.
        """

    @abstractmethod
    def of_batch(self, batch: Batch) -> PixelLoss:
        """Find what the loss needs of a whole batch, and return what it makes of a tile."""

    def forward(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> LossSum:
        """Compute the loss at the size of the target; in tiles all of it in fp32.

        Args:
            features: What the head sees, `(B, D, h, w)`.
            head: The 1×1 convolution to `(B, C, h, w)`.
            covered: Rows and columns of cells that the target spans.
            target: Train ids `(B, H, W)`.
        """
        return _added([self], features, head, covered, target)


class WeightedSum(nn.Module):
    """Losses times their weights, added up; one softmax and one gradient serve all of them.

    Attributes:
        losses: The terms.
        ignore_index: Train id of void, of all of them.
    """

    def __init__(self, losses: Sequence[SegmentationLoss]) -> None:
        """Choose the losses; they are computed tile by tile if all of them are."""
        super().__init__()
        self.losses = list(losses)
        self.ignore_index = losses[0].ignore_index

    def forward(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> LossSum:
        """Compute the sum, as each of the losses is computed."""
        return _added(self.losses, features, head, covered, target)


def _added(
    losses: Sequence[SegmentationLoss],
    features: Tensor,
    head: nn.Conv2d,
    covered: tuple[float, float],
    target: Tensor,
) -> LossSum:
    if target.dtype == torch.uint16:
        # In which older PyTorch computes hardly anything.
        target = target.int()
    ignore_index = losses[0].ignore_index
    if all(loss.tiled for loss in losses):
        problem = Problem(covered, ignore_index, losses)
        return tiled_loss(features, head, target, problem)
    logits = upsample(head(features), covered, (target.shape[1], target.shape[2]))
    with torch.autocast(logits.device.type, enabled=False):
        exact = logits.float()
        total = reduce(torch.add, [loss.weight * loss.plain(exact, target) for loss in losses])
    with torch.no_grad():
        prediction = logits.argmax(dim=1)
        confusion = tensor_confusion_matrix(prediction, target, head.out_channels, ignore_index)
    return LossSum(total, confusion)
