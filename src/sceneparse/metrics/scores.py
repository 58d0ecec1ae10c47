"""Scores from one confusion matrix over a whole data set, by the protocol of the ADE20K benchmark.

Every figure here comes from counts of pixels added up over all images (Long et al., 2015, section
5; Zhou et al., 2017, section 4), never from a mean over images or batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]


def confusion_matrix(
    prediction: NDArray[np.integer[Any]],
    target: NDArray[np.integer[Any]],
    num_classes: int,
    ignore_index: int,
) -> Matrix:
    """Count the pixels of one image by true and predicted class.

    Args:
        prediction: Train ids `(H, W)`; anything outside 0..num_classes - 1 counts as wrong.
        target: Train ids `(H, W)`: classes, or `ignore_index`, whose pixels are not counted.
        num_classes: Number of classes, C.
        ignore_index: Train id of void.

    Returns:
        int64 `(C, C + 1)`: rows are the ground truth, columns the prediction; the last column
        counts predictions out of range.

    Raises:
        ValueError: If the sizes differ.
    """
    if target.shape != prediction.shape:
        raise ValueError(f"prediction is {prediction.shape}, target {target.shape}")
    bins = num_classes * (num_classes + 1)
    predicted = prediction.astype(np.int64)
    predicted[(predicted < 0) | (predicted >= num_classes)] = num_classes
    pairs = target.astype(np.int64) * (num_classes + 1) + predicted
    # Ignored pixels go into one extra bin.
    pairs[target == ignore_index] = bins
    counts = np.bincount(pairs.ravel(), minlength=bins + 1)[:bins]
    return counts.reshape(num_classes, num_classes + 1)


@dataclass(frozen=True)
class Scores:
    """What a confusion matrix says; shares in 0..1, NaN where there is nothing to say.

    Attributes:
        miou: Mean IoU over the classes that occur in the ground truth or in the prediction.
        pixel_accuracy: Share of valid pixels that are right.
        mean_accuracy: Mean share of right pixels over the classes that occur in the ground truth.
        fwiou: IoU weighted by the share of each class in the ground truth.
        classes_absent: Number of classes neither in the ground truth nor predicted; not in `miou`.
        iou: IoU per class, `(C,)`.
        accuracy: Share of the pixels of each class that are right, `(C,)`.
        pixels: Pixels of each class in the ground truth, `(C,)`.
    """

    miou: float
    pixel_accuracy: float
    mean_accuracy: float
    fwiou: float
    classes_absent: int
    iou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    pixels: Matrix

    @classmethod
    def from_confusion(cls, matrix: Matrix) -> "Scores":
        """Compute the scores of a confusion matrix `(C, C + 1)`, rows the ground truth."""
        right = np.diagonal(matrix)
        pixels = matrix.sum(axis=1)
        predicted = matrix[:, :-1].sum(axis=0)
        union = pixels + predicted - right
        iou = _ratio(right, union)
        accuracy = _ratio(right, pixels)
        total = pixels.sum()
        return cls(
            miou=_mean(iou),
            pixel_accuracy=float(_ratio(right.sum(), total)),
            mean_accuracy=_mean(accuracy),
            fwiou=float(_ratio(np.nansum(iou * pixels), total)),
            classes_absent=int((union == 0).sum()),
            iou=iou,
            accuracy=accuracy,
            pixels=pixels,
        )

    def summary(self) -> dict[str, float | int]:
        """Return the scores over all classes under their JSON keys."""
        return {
            "miou": self.miou,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "fwiou": self.fwiou,
            "classes_absent": self.classes_absent,
        }


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """Divide, with NaN where the whole is zero."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
