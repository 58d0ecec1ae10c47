"""What a first look at all tiles of a batch finds, for losses that a tile alone cannot tell."""

from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.losses.pixels import Pixels
from sceneparse.ops.precision import sum_dtype


class Sums(NamedTuple):
    """Soft counts of each class over the valid pixels of a batch, `(C,)`.

    Attributes:
        overlap: Probabilities of the class where it is true.
        predicted: Probabilities of the class.
        true: Pixels where it is true.
    """

    overlap: Tensor
    predicted: Tensor
    true: Tensor

    @property
    def present(self) -> Tensor:
        """Which classes occur in the ground truth."""
        return self.true > 0


class Survey:
    """Filled tile by tile: 8 bytes for each pixel, however many classes there are.

    Attributes:
        confidence: Probability of the true class of each pixel `(B, H, W)`.
        norms: Logarithm in bits of the sum over the classes of 2^logit, `(B, H, W)`.
        valid: Which pixels count `(B, H, W)`.
    """

    def __init__(self, target: Tensor, num_classes: int, ignore_index: int) -> None:
        """Begin.

        Args:
            target: Train ids `(B, H, W)`.
            num_classes: Number of classes, C.
            ignore_index: Train id of void.
        """
        self.confidence = torch.empty(target.shape, device=target.device)
        self.norms = torch.empty_like(self.confidence)
        self.valid = target != ignore_index
        self._target = target
        self._predicted = torch.zeros(
            num_classes, dtype=sum_dtype(target.device), device=target.device
        )

    def add(self, pixels: Pixels) -> None:
        """Take a tile into account."""
        self.confidence[pixels.place] = pixels.confidence
        self.norms[pixels.place] = pixels.highest + pixels.norm.log2()
        share = pixels.valid / pixels.norm
        self._predicted += (pixels.softmax @ share[:, :, None]).sum(dim=0)[:, 0]

    @property
    def pixels(self) -> Tensor:
        """Number of valid pixels."""
        return self.valid.sum()

    def sums(self) -> Sums:
        """Return the soft counts."""
        return Sums(*_of_true_classes(self.confidence, self._target, self.valid, self._predicted))


def soft_sums(probabilities: Tensor, target: Tensor, ignore_index: int) -> Sums:
    """Count softly in probabilities `(B, C, H, W)` and train ids `(B, H, W)`."""
    valid = target != ignore_index
    predicted = (probabilities * valid[:, None]).sum(dim=(0, 2, 3))
    return Sums(*_of_true_classes(of_truth(probabilities, target, valid), target, valid, predicted))


def of_truth(values: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Pick from values `(B, C, H, W)` those of the true classes; of class 0 at void."""
    return values.gather(1, target.where(valid, 0).long()[:, None])[:, 0]


def _of_true_classes(
    confidence: Tensor, target: Tensor, valid: Tensor, predicted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    classes = target[valid].long()
    overlap = torch.zeros_like(predicted)
    overlap = overlap.index_add(0, classes, confidence[valid].to(predicted.dtype))
    true = torch.bincount(classes, minlength=len(predicted)).to(predicted.dtype)
    return overlap, predicted, true
