"""Categorical cross-entropy over the classes of each pixel."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse.losses.batch import Batch
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.pixels import PixelLoss, Pixels, Pull
from sceneparse.losses.survey import of_truth
from sceneparse.sums import sum_dtype
from sceneparse.upsample import BITS_PER_NAT

# (train ids (B, H, W), which are valid, gives the probabilities of the true classes (B, H, W))
# -> what each pixel counts (B, H, W)
Emphasis = Callable[[Tensor, Tensor, Callable[[], Tensor]], Tensor]


class CrossEntropy(SegmentationLoss):
    """Sum of the negative log-likelihoods of the true classes over valid pixels."""

    class_weights: Tensor | None

    def __init__(
        self,
        ignore_index: int,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        emphasis: Emphasis | None = None,
        weight: float = 1.0,
        *,
        in_strips: bool = True,
    ) -> None:
        """Choose the loss.

        Args:
            ignore_index: Train id of pixels that count neither in the loss nor in the gradient.
            label_smoothing: Share of the target spread evenly over all classes, in 0..1 (Szegedy et
                al., 2016, section 7).
            class_weights: What a pixel of each class counts, C of them; none: all count 1. As in
                `F.cross_entropy`, smoothed targets are weighted by their own classes.
            emphasis: What a pixel counts for what or where it is; none: all count 1.
            weight: What the loss is multiplied by.
            in_strips: Compute it tile by tile instead of on logits of the target's size: the same
                numbers in less time and memory.
        """
        super().__init__(ignore_index, weight, in_strips=in_strips)
        self.label_smoothing = label_smoothing
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights)
        self.emphasis = emphasis
        self.sees_logits = label_smoothing > 0

    def plain(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute it as PyTorch does."""
        cross_entropy = partial(
            F.cross_entropy,
            logits,
            target.long(),
            weight=None if self.class_weights is None else self.class_weights.to(logits),
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )
        if self.emphasis is None:
            return cross_entropy(reduction="sum")
        valid = target != self.ignore_index

        def confidence() -> Tensor:
            return of_truth(logits.detach().softmax(dim=1), target, valid)

        return (cross_entropy(reduction="none") * self.emphasis(target, valid, confidence)).sum()

    def of_batch(self, batch: Batch) -> PixelLoss:
        """Find what each pixel counts."""
        if self.emphasis is None:
            return self._of_tile
        valid = batch.target != batch.ignore_index
        emphasis = self.emphasis(batch.target, valid, lambda: batch.survey.confidence)
        return partial(self._of_tile, emphasis=emphasis)

    def _of_tile(self, pixels: Pixels, emphasis: Tensor | None = None) -> Pull:
        smoothing, valid = self.label_smoothing, pixels.valid
        device = valid.device
        weights = None if self.class_weights is None else self.class_weights.to(device)
        counted = valid if emphasis is None else valid * emphasis[pixels.place]
        # Of each pixel: what its true class counts, and what all of its target counts.
        own = (1 - smoothing) * (
            counted.float() if weights is None else weights[pixels.true] * counted
        )
        whole = own + smoothing * counted * (1.0 if weights is None else weights.mean())
        wanted = own * pixels.own_bits
        spread = None
        if pixels.lowered is not None and smoothing:
            classes = pixels.lowered.shape[1]
            each = torch.ones(classes, device=device) if weights is None else weights
            spread = (each * (smoothing / classes), counted)
            wanted += (spread[0][:, None] * pixels.lowered).sum(dim=1) * counted
        total = (pixels.norm.log2() * whole - wanted).sum(dtype=sum_dtype(device)) / BITS_PER_NAT
        return Pull(total, whole, own, spread=spread)
