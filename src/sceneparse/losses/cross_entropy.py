"""Categorical cross-entropy over the classes of each pixel."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse.losses.batch import Batch
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.pixels import PixelLoss, Pixels, TileGradient
from sceneparse.losses.settings import CrossEntropyLoss
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
            ignore_index: Train id of pixels that count neither in the loss nor in the gradient.
            class_weights: Weight of a pixel of each class, C of them; none: all count 1. As in
                `F.cross_entropy`, smoothed targets are weighted by their own classes.
        """
        super().__init__(settings, ignore_index)
        self.label_smoothing = settings.label_smoothing
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights)
        self.needs_logits = settings.label_smoothing > 0

    def plain(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute it as PyTorch does."""
        return F.cross_entropy(
            logits,
            target.long(),
            weight=None if self.class_weights is None else self.class_weights.to(logits),
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )

    def of_batch(self, batch: Batch) -> PixelLoss:  # noqa: ARG002 - asked as any loss is
        """Return the loss of a tile: nothing of the batch is needed first."""
        return self._of_tile

    def _of_tile(self, pixels: Pixels) -> TileGradient:
        smoothing, valid = self.label_smoothing, pixels.valid
        device = valid.device
        weights = None if self.class_weights is None else self.class_weights.to(device)
        # Of each pixel: what its true class counts, and what all of its target counts.
        own = (1 - smoothing) * (valid.float() if weights is None else weights[pixels.true] * valid)
        whole = own + smoothing * valid * (1.0 if weights is None else weights.mean())
        wanted = own * pixels.own_bits
        spread = None
        if pixels.shifted is not None and smoothing:
            classes = pixels.shifted.shape[1]
            each = torch.ones(classes, device=device) if weights is None else weights
            spread = (each * (smoothing / classes), valid)
            wanted += (spread[0][:, None] * pixels.shifted).sum(dim=1) * valid
        total = (pixels.norm.log2() * whole - wanted).sum(dtype=sum_dtype(device)) / BITS_PER_NAT
        return TileGradient(total, whole, own, smoothing=spread)
