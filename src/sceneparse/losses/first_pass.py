"""The first pass over all tiles of a batch, for losses that depend on the whole batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.losses.tile_gradient import TileSoftmax
from sceneparse.ops.precision import sum_dtype


class ClassSums(NamedTuple):
    """Sums over the valid pixels of a batch for each class, `(C,)`.

    Attributes:
        overlap: Sum of the class's probability over the pixels of the class.
        predicted: Sum of the class's probability over all valid pixels.
        true: Number of pixels of the class.
    """

    overlap: Tensor
    predicted: Tensor
    true: Tensor

    @property
    def present(self) -> Tensor:
        """Mask `(C,)` of the classes that occur in the ground truth."""
        return self.true > 0


class FirstPass:
    """Results of the first pass: 8 bytes per pixel for any number of classes.

    Attributes:
        true_probability: Probability of the true class of each pixel `(B, H, W)`.
        log_sum_exp: Base-2 log-sum-exp of the logits in bits, `(B, H, W)`.
        valid: Mask `(B, H, W)` of the pixels that are not void.
    """

    def __init__(self, target: Tensor, num_classes: int, ignore_index: int) -> None:
        """Allocate the results.

        Args:
            target: Train ids `(B, H, W)`.
            num_classes: Number of classes, C.
            ignore_index: Train id of void.
        """
        self.true_probability = torch.empty(target.shape, device=target.device)
        self.log_sum_exp = torch.empty_like(self.true_probability)
        self.valid = target != ignore_index
        self._target = target
        self._predicted = torch.zeros(
            num_classes, dtype=sum_dtype(target.device), device=target.device
        )

    def add(self, tile: TileSoftmax) -> None:
        """Add a tile."""
        self.true_probability[tile.tile_index] = tile.true_probability
        self.log_sum_exp[tile.tile_index] = tile.max_logit + tile.exponential_sum.log2()
        inverse_sum = tile.valid / tile.exponential_sum
        self._predicted += (tile.exponentials @ inverse_sum[:, :, None]).sum(dim=0)[:, 0]

    @property
    def num_valid(self) -> Tensor:
        """Number of valid pixels, a scalar."""
        return self.valid.sum()

    def class_sums(self) -> ClassSums:
        """Return the sums for each class."""
        return _class_sums(self.true_probability, self._target, self.valid, self._predicted)


def class_sums(probabilities: Tensor, target: Tensor, ignore_index: int) -> ClassSums:
    """Compute the sums for each class.

    Args:
        probabilities: Softmax `(B, C, H, W)`.
        target: Train ids `(B, H, W)`.
        ignore_index: Train id of void.
    """
    valid = target != ignore_index
    predicted = (probabilities * valid[:, None]).sum(dim=(0, 2, 3))
    return _class_sums(true_class_values(probabilities, target, valid), target, valid, predicted)


def true_class_values(values: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Select the value of the true class of each pixel, or that of class 0 at void.

    Args:
        values: One value per class, `(B, C, H, W)`.
        target: Train ids `(B, H, W)`.
        valid: Mask `(B, H, W)` of the pixels that are not void.

    Returns:
        Values `(B, H, W)`.
    """
    return values.gather(1, target.where(valid, 0).long()[:, None])[:, 0]


def _class_sums(
    true_probability: Tensor, target: Tensor, valid: Tensor, predicted: Tensor
) -> ClassSums:
    classes = target[valid].long()
    overlap = torch.zeros_like(predicted)
    overlap = overlap.index_add(0, classes, true_probability[valid].to(predicted.dtype))
    true = torch.bincount(classes, minlength=len(predicted)).to(predicted.dtype)
    return ClassSums(overlap, predicted, true)
