"""The confusion matrix of a batch, on the device where the batch is."""

from typing import NamedTuple

import torch
from torch import Tensor


class LossSum(NamedTuple):
    """What a loss returns: sums, so that parts of a batch can be put together.

    Attributes:
        total: Sum of the loss over valid pixels, a scalar that carries the gradient.
        confusion: int64 confusion matrix `(C, C + 1)`, as `confusion_matrix` returns it.
    """

    total: Tensor
    confusion: Tensor


def confusion_matrix(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int
) -> Tensor:
    """Count pixels by true and predicted class.

    Args:
        prediction: Train ids `(B, H, W)` in 0..num_classes - 1.
        target: Train ids `(B, H, W)`; pixels that hold `ignore_index` are not counted.
        num_classes: Number of classes, C.
        ignore_index: Train id of void.

    Returns:
        int64 `(C, C + 1)`: rows the truth, columns the prediction; the last column, predictions
        out of range, is zero here.
    """
    valid = target != ignore_index
    pairs = target[valid].long() * (num_classes + 1) + prediction[valid].long()
    counts = torch.bincount(pairs, minlength=num_classes * (num_classes + 1))
    return counts.view(num_classes, num_classes + 1)
