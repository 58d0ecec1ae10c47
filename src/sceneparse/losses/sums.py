"""What every loss returns."""

from typing import NamedTuple

from torch import Tensor


class LossSum(NamedTuple):
    """Sums over pixels, so that parts of a batch can be put together.

    Attributes:
        total: Sum of the loss over valid pixels, a scalar that carries the gradient.
        confusion: int64 confusion matrix `(C, C + 1)`, as `tensor_confusion_matrix` returns it.
    """

    total: Tensor
    confusion: Tensor
