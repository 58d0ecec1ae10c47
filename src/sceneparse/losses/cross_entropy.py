"""Categorical cross-entropy over the classes of each pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.losses.confusion import LossSum, confusion_matrix
from sceneparse.losses.strips import Settings, cross_entropy_in_strips
from sceneparse.upsample import upsample


class CrossEntropy(nn.Module):
    """Sum of the negative log-likelihoods of the true classes over valid pixels."""

    def __init__(
        self, ignore_index: int, label_smoothing: float = 0.0, *, in_strips: bool = True
    ) -> None:
        """Choose the loss.

        Args:
            ignore_index: Train id of pixels that count neither in the loss nor in the gradient.
            label_smoothing: Share of the target spread evenly over all classes, in 0..1 (Szegedy et
                al., 2016, section 7).
            in_strips: Compute it strip by strip instead of on logits of the target's size: the same
                numbers in less time and memory.
        """
        super().__init__()
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
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
            settings = Settings(covered, self.ignore_index, self.label_smoothing)
            return cross_entropy_in_strips(features, head, target, settings)
        size = (target.shape[1], target.shape[2])
        logits = upsample(head(features), covered, size)
        total = F.cross_entropy(
            logits.float(),
            target.long(),
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        with torch.no_grad():
            prediction = logits.argmax(dim=1)
            confusion = confusion_matrix(prediction, target, head.out_channels, self.ignore_index)
        return LossSum(total, confusion)
