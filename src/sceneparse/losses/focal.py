"""Focal loss: cross-entropy with a smaller weight for pixels that are already right."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sceneparse.losses.first_pass import true_class_values
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.settings import FocalLoss
from sceneparse.losses.tile_gradient import TileGradient, TileLoss, TileSoftmax
from sceneparse.losses.tiled_batch import TiledBatch
from sceneparse.ops.precision import sum_dtype


def focal(true_log_probability: Tensor, gamma: float) -> Tensor:
    """Compute the focal loss of each pixel (Lin et al., 2017, equation 4).

    Args:
        true_log_probability: Natural logarithm of the probability of the true class.
        gamma: Exponent of the weight 1 - p; 0 is cross-entropy.
    """
    # Not quite zero: for gamma below 1 the derivative of the power is infinite there.
    error = (-torch.expm1(true_log_probability)).clamp(
        min=torch.finfo(true_log_probability.dtype).tiny
    )
    return -(error**gamma) * true_log_probability


class Focal(SegmentationLoss):
    """Sum of the focal losses of the valid pixels, over a softmax instead of a sigmoid."""

    class_weights: Tensor | None

    def __init__(
        self,
        settings: FocalLoss,
        ignore_index: int,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """Make the loss.

        Args:
            settings: The exponent gamma and the factor on the loss.
            ignore_index: Train id of void.
            class_weights: Weight of each class, alpha of the paper, C numbers; none: 1 each.
        """
        super().__init__(settings, ignore_index)
        self.gamma = settings.gamma
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights)

    def untiled(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss from full-size logits."""
        valid = target != self.ignore_index
        true_log_probability = true_class_values(logits.log_softmax(dim=1), target, valid)
        pixel_weights = self._pixel_weights(valid, target.where(valid, 0).long()).to(logits)
        return (focal(true_log_probability, self.gamma) * pixel_weights).sum()

    def prepare(self, batch: TiledBatch) -> TileLoss:  # noqa: ARG002 - part of the interface
        """Return the loss of a tile, which does not depend on the rest of the batch."""
        return self._tile_gradient

    def _pixel_weights(self, valid: Tensor, true_class: Tensor) -> Tensor:
        """Return the class weight of each pixel, 0 at void."""
        if self.class_weights is None:
            return valid.float()
        return self.class_weights.to(valid.device)[true_class] * valid

    def _tile_gradient(self, tile: TileSoftmax) -> TileGradient:
        pixel_weights = self._pixel_weights(tile.valid, tile.true_class)
        with torch.enable_grad():
            true_log_probability = tile.true_log_probability.requires_grad_()
            total = (focal(true_log_probability, self.gamma) * pixel_weights).sum(
                dtype=sum_dtype(pixel_weights.device)
            )
            # The derivative of log p_t with respect to the logit of class k is [k = t] - p_k.
            (derivative,) = torch.autograd.grad(total, true_log_probability)
        return TileGradient(total.detach(), -derivative, -derivative)
