"""Losses of regions: functions of how much of each class is right, over a whole batch."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sceneparse.losses.batch import Batch
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.pixels import PixelLoss, Pixels, TileGradient
from sceneparse.losses.settings import LossSettings
from sceneparse.losses.survey import Sums, soft_sums

# Of the soft counts of each class: a number that is 0 where all is right, and at most about 1.
OfSums = Callable[[Sums], Tensor]


class Region(SegmentationLoss):
    """A function of the soft counts of a batch, times its valid pixels.

    The function has C numbers to look at and so is differentiated by autograd; what remains for a
    pixel is that its probabilities are part of the counts. Tiles are made twice.
    """

    def __init__(self, settings: LossSettings, ignore_index: int, of_sums: OfSums) -> None:
        """Make the loss.

        Args:
            settings: The factor on the loss.
            ignore_index: Train id of void.
            of_sums: The function, such as `dice`.
        """
        super().__init__(settings, ignore_index)
        self.of_sums = of_sums

    def plain(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute it as it is defined."""
        sums = soft_sums(logits.softmax(dim=1), target, self.ignore_index)
        return self.of_sums(sums) * sums.true.sum()

    def of_batch(self, batch: Batch) -> PixelLoss:
        """Count in all tiles, and find how the loss changes with each count."""
        overlap, predicted, true = batch.survey.sums()
        with torch.enable_grad():
            moving = (overlap.requires_grad_(), predicted.requires_grad_())
            value = self.of_sums(Sums(*moving, true))
            slopes = torch.autograd.grad(value, moving)
        of_overlap, of_predicted = ((slope * batch.survey.pixels).float() for slope in slopes)
        return partial(_of_tile, value.detach(), of_overlap, of_predicted)


def _of_tile(
    value: Tensor, of_overlap: Tensor, of_predicted: Tensor, pixels: Pixels
) -> TileGradient:
    """Lead slopes with respect to counts, `(C,)` each, back through the softmax."""
    own = -of_overlap[pixels.true] * pixels.confidence * pixels.valid
    mean = (of_predicted @ pixels.softmax) / pixels.norm
    total = value * pixels.valid.sum()
    return TileGradient(total, own - mean * pixels.valid, own, class_coefficients=of_predicted)
