"""The confusion matrix of predictions, by one bincount on the device where they are."""

import torch
from torch import Tensor

# Up to here the number of a pair of classes fits 32 bits, in which it is counted faster.
_CLASSES_OF_32_BITS = 40_000


def confusion_matrix(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int
) -> Tensor:
    """Count pixels by true and predicted class.

    Args:
        prediction: Train ids in 0..num_classes - 1, of any shape.
        target: Train ids of the same shape; pixels that hold `ignore_index` are not counted.
        num_classes: Number of classes, C.
        ignore_index: Train id of void.

    Returns:
        int64 `(C, C + 1)`: rows the ground truth, columns the prediction; the last, predictions
        out of range, is zero here.
    """
    dtype = torch.int32 if num_classes <= _CLASSES_OF_32_BITS else torch.int64
    cells = num_classes * (num_classes + 1)
    pairs = target.to(dtype, copy=True).mul_(num_classes + 1).add_(prediction)
    # What is not to be counted goes into one more cell.
    pairs.masked_fill_(target == ignore_index, cells)
    counts = torch.bincount(pairs.flatten(), minlength=cells + 1)
    return counts[:cells].view(num_classes, num_classes + 1)
