"""Dice losses, and the class of losses that are functions of class sums."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sceneparse.losses.first_pass import ClassSums, class_sums
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.settings import LossSettings
from sceneparse.losses.tile_gradient import TileGradient, TileLoss, TileSoftmax
from sceneparse.losses.tiled_batch import TiledBatch

# A function whose value is 0 for a perfect prediction, and at most about 1.
RegionFunction = Callable[[ClassSums], Tensor]


def dice(sums: ClassSums) -> Tensor:
    """Compute 1 minus the mean Dice coefficient of the classes in the ground truth.

    Milletari et al., 2016, equation 1, averaged over classes, with sums of probabilities instead
    of sums of their squares. A class that is absent from the ground truth is left out.
    """
    overlap, predicted, true = (values[sums.present] for values in sums)
    return (1 - 2 * overlap / (predicted + true)).sum() / max(1, len(true))


def generalised_dice(sums: ClassSums) -> Tensor:
    """Compute 1 minus the generalised Dice coefficient (Sudre et al., 2017, section 2.1).

    The weight of a class is 1 over its squared number of pixels, which balances small and large
    regions.
    """
    overlap, predicted, true = (values[sums.present] for values in sums)
    weights = true**-2
    denominator = (weights * (predicted + true)).sum().clamp(min=torch.finfo(true.dtype).tiny)
    return 1 - 2 * (weights * overlap).sum() / denominator


class RegionLoss(SegmentationLoss):
    """A function of the class sums of a batch, times the number of its valid pixels.

    Autograd differentiates the function with respect to the `(C,)` sums; the derivative of the sums
    with respect to the logits is in closed form. All tiles are computed twice.
    """

    def __init__(
        self, settings: LossSettings, ignore_index: int, region_function: RegionFunction
    ) -> None:
        """Make the loss.

        Args:
            settings: The factor on the loss.
            ignore_index: Train id of void.
            region_function: The function of the class sums, such as `dice`.
        """
        super().__init__(settings, ignore_index)
        self.region_function = region_function

    def untiled(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss from full-size logits."""
        sums = class_sums(logits.softmax(dim=1), target, self.ignore_index)
        return self.region_function(sums) * sums.true.sum()

    def prepare(self, batch: TiledBatch) -> TileLoss:
        """Compute the class sums of the batch, and the derivative of the loss by each of them."""
        overlap, predicted, true = batch.first_pass.class_sums()
        with torch.enable_grad():
            variables = (overlap.requires_grad_(), predicted.requires_grad_())
            value = self.region_function(ClassSums(*variables, true))
            derivatives = torch.autograd.grad(value, variables)
        by_overlap, by_predicted = (
            (derivative * batch.first_pass.num_valid).float() for derivative in derivatives
        )
        return partial(_tile_gradient, value.detach(), by_overlap, by_predicted)


def _tile_gradient(
    value: Tensor, by_overlap: Tensor, by_predicted: Tensor, tile: TileSoftmax
) -> TileGradient:
    """Backpropagate the derivatives by the class sums, `(C,)` each, through the softmax."""
    by_true_logit = -by_overlap[tile.true_class] * tile.true_probability * tile.valid
    mean = (by_predicted @ tile.exponentials) / tile.exponential_sum
    return TileGradient(
        total=value * tile.valid.sum(),
        softmax_coefficient=by_true_logit - mean * tile.valid,
        target_coefficient=by_true_logit,
        class_coefficients=by_predicted,
    )
