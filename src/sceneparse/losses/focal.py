"""Focal loss: cross-entropy that fades for pixels which are right already."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sceneparse.losses.batch import Batch
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.pixels import PixelLoss, Pixels, TileGradient
from sceneparse.losses.settings import FocalLoss
from sceneparse.losses.survey import of_truth
from sceneparse.ops.precision import sum_dtype


def focal(log_confidence: Tensor, gamma: float) -> Tensor:
    """Compute the focal loss of each pixel (Lin et al., 2017, equation 4).

    Args:
        log_confidence: Logarithm of the probability of the true class, in nats.
        gamma: How fast it fades; 0 is cross-entropy.
    """
    # Not quite zero, where the slope of a root would be infinite.
    doubt = (-torch.expm1(log_confidence)).clamp(min=torch.finfo(log_confidence.dtype).tiny)
    return -(doubt**gamma) * log_confidence


class Focal(SegmentationLoss):
    """Sum of the focal losses of the valid pixels, in its form for a softmax."""

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
            class_weights: Weight of a pixel of each class, C of them; none: all count 1. They are
                alpha of the paper.
        """
        super().__init__(settings, ignore_index)
        self.gamma = settings.gamma
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights)

    def plain(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute it as it is defined."""
        valid = target != self.ignore_index
        log_confidence = of_truth(logits.log_softmax(dim=1), target, valid)
        counted = self._counted(valid, target.where(valid, 0).long()).to(logits)
        return (focal(log_confidence, self.gamma) * counted).sum()

    def of_batch(self, batch: Batch) -> PixelLoss:  # noqa: ARG002 - asked as any loss is
        """Return what it makes of a tile; nothing of the rest matters."""
        return self._of_tile

    def _counted(self, valid: Tensor, true: Tensor) -> Tensor:
        """Return what each pixel counts."""
        if self.class_weights is None:
            return valid.float()
        return self.class_weights.to(valid.device)[true] * valid

    def _of_tile(self, pixels: Pixels) -> TileGradient:
        counted = self._counted(pixels.valid, pixels.true)
        with torch.enable_grad():
            log_confidence = pixels.log_confidence.requires_grad_()
            total = (focal(log_confidence, self.gamma) * counted).sum(
                dtype=sum_dtype(counted.device)
            )
            # The logarithm of p_t changes by [k = t] - p_k with the logit of class k.
            (slope,) = torch.autograd.grad(total, log_confidence)
        return TileGradient(total.detach(), -slope, -slope)
