"""Count the confusion matrix of tensors, on their device."""

import torch
from torch import Tensor

# Up to here the index of a pair of classes fits 32 bits, in which it is counted faster.
_MAX_CLASSES_INT32 = 40_000


def tensor_confusion_matrix(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int
) -> Tensor:
    """Count pixels by true and predicted class, as `confusion_matrix` does for NumPy arrays.

    The training loss counts every batch, so predictions are not checked here.

    Args:
        prediction: Train ids in 0..num_classes - 1, of any shape.
        target: Train ids of the same shape; pixels that hold `ignore_index` are not counted.
        num_classes: Number of classes, C.
        ignore_index: Train id of void.

    Returns:
        int64 `(C, C + 1)`: rows are the ground truth, columns the prediction. The last column,
        predictions out of range, is zero.
    """
    dtype = torch.int32 if num_classes <= _MAX_CLASSES_INT32 else torch.int64
    bins = num_classes * (num_classes + 1)
    pairs = target.to(dtype, copy=True).mul_(num_classes + 1).add_(prediction)
    # Ignored pixels go into one extra bin.
    pairs.masked_fill_(target == ignore_index, bins)
    counts = torch.bincount(pairs.flatten(), minlength=bins + 1)
    return counts[:bins].view(num_classes, num_classes + 1)
