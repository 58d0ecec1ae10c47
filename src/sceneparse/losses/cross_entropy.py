"""Categorical cross-entropy over the classes of each pixel."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.losses.tile_gradient import TileGradient, TileLoss, TileSoftmax
from sceneparse.losses.tiled_batch import TiledBatch
from sceneparse.ops.precision import sum_dtype
from sceneparse.ops.upsampling import BITS_PER_NAT


class CrossEntropy(SegmentationLoss):
    """Sum of the negative log-likelihoods of the true classes over valid pixels."""

    class_weights: Tensor | None

    def __init__(
        self,
        settings: CrossEntropyLoss,
        ignore_index: int,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """Make the loss.

        Args:
            settings: Label smoothing and the factor on the loss.
            ignore_index: Train id of void, which adds nothing to the loss or the gradient.
            class_weights: Weight of each class, C numbers; none: 1 each. As in `F.cross_entropy`,
                a smoothed target weighs each of its classes.
        """
        super().__init__(settings, ignore_index)
        self.label_smoothing = settings.label_smoothing
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights)
        self.needs_logits = settings.label_smoothing > 0

    def untiled(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss from full-size logits."""
        return F.cross_entropy(
            logits,
            target.long(),
            weight=None if self.class_weights is None else self.class_weights.to(logits),
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )

    def prepare(self, batch: TiledBatch) -> TileLoss:  # noqa: ARG002 - part of the interface
        """Return the loss of a tile, which does not depend on the rest of the batch."""
        return self._tile_gradient

    def _tile_gradient(self, tile: TileSoftmax) -> TileGradient:
        smoothing, valid = self.label_smoothing, tile.valid
        device = valid.device
        weights = None if self.class_weights is None else self.class_weights.to(device)
        # Weights in the target of each pixel: that of the true class, and the sum over all classes.
        true_weight = (1 - smoothing) * (
            valid.float() if weights is None else weights[tile.true_class] * valid
        )
        weight_sum = true_weight + smoothing * valid * (1.0 if weights is None else weights.mean())
        target_logits = true_weight * tile.true_logit
        smoothing_factors = None
        if tile.shifted_logits is not None and smoothing:
            classes = tile.shifted_logits.shape[1]
            class_weights = torch.ones(classes, device=device) if weights is None else weights
            smoothing_factors = (class_weights * (smoothing / classes), valid)
            smoothed = (smoothing_factors[0][:, None] * tile.shifted_logits).sum(dim=1)
            target_logits += smoothed * valid
        bits = (tile.exponential_sum.log2() * weight_sum - target_logits).sum(
            dtype=sum_dtype(device)
        )
        return TileGradient(
            total=bits / BITS_PER_NAT,
            softmax_coefficient=weight_sum,
            target_coefficient=true_weight,
            smoothing=smoothing_factors,
        )
