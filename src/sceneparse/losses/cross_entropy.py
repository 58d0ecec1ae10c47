"""Categorical cross-entropy over the classes of each pixel."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.confusion import confusion_matrix
from sceneparse.losses.strips import Problem, TileLoss, loss_in_strips
from sceneparse.losses.sums import LossSum
from sceneparse.sums import sum_dtype
from sceneparse.upsample import BITS_PER_NAT, likeliest, upsample


class CrossEntropy(nn.Module):
    """Sum of the negative log-likelihoods of the true classes over valid pixels."""

    class_weights: Tensor | None

    def __init__(
        self,
        ignore_index: int,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
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
            in_strips: Compute it tile by tile instead of on logits of the target's size: the same
                numbers in less time and memory.
        """
        super().__init__()
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights)
        self.in_strips = in_strips

    def forward(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> LossSum:
        """Compute the loss at the size of the target; in strips all of it in fp32.

        Args:
            features: What the head sees, `(B, D, h, w)`.
            head: The 1×1 convolution to `(B, C, h, w)`.
            covered: Rows and columns of cells that the target spans.
            target: Train ids `(B, H, W)`.
        """
        if self.in_strips:
            problem = Problem(covered, self.ignore_index, self._of_tile)
            return loss_in_strips(features, head, target, problem)
        size = (target.shape[1], target.shape[2])
        logits = upsample(head(features), covered, size)
        total = F.cross_entropy(
            logits.float(),
            target.long(),
            weight=self._weights(logits.device),
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        with torch.no_grad():
            prediction = logits.argmax(dim=1)
            confusion = confusion_matrix(prediction, target, head.out_channels, self.ignore_index)
        return LossSum(total, confusion)

    def _weights(self, device: torch.device) -> Tensor | None:
        return None if self.class_weights is None else self.class_weights.to(device)

    def _of_tile(self, bits: Tensor, target: Tensor) -> TileLoss:
        """Compute loss and gradient of logits in bits, `(R, C, K)`, which are overwritten.

        The gradient is the softmax less the target (Bridle, 1990), zero at void pixels.
        """
        smoothing, weights = self.label_smoothing, self._weights(bits.device)
        valid = target != self.ignore_index
        true = target.where(valid, 0).long()
        lowered = bits.sub_(bits.amax(dim=1, keepdim=True))
        prediction = likeliest(lowered)
        # Of each pixel: what its true class counts, and what all of its target counts.
        own = (1 - smoothing) * (valid.float() if weights is None else weights[true] * valid)
        whole = own + smoothing * valid * (1.0 if weights is None else weights.mean())
        wanted = own * lowered.gather(1, true[:, None])[:, 0]
        spread = None
        if smoothing:
            each = torch.ones_like(bits[0, :, :1]) if weights is None else weights[:, None]
            spread = each * (smoothing / bits.shape[1])
            wanted += (spread * lowered).sum(dim=1) * valid
        softmax = lowered.exp2_()
        norm = softmax.sum(dim=1)
        total = (norm.log2() * whole - wanted).sum(dtype=sum_dtype(bits.device)) / BITS_PER_NAT
        gradient = softmax.mul_((whole / norm)[:, None])
        gradient.scatter_add_(1, true[:, None], -own[:, None])
        if spread is not None:
            gradient.sub_(spread * valid[:, None])
        return TileLoss(total, gradient, prediction)
