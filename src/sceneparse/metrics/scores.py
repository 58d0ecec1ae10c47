"""Scores of one confusion matrix over a whole data set, by the protocol of the ADE20K benchmark.

Each score uses pixel counts summed over all images (Long et al., 2015, section 5; Zhou et al.,
2017, section 4), not a mean over images or batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ConfusionMatrix = NDArray[np.int64]


def confusion_matrix(
    prediction: NDArray[np.integer[Any]],
    target: NDArray[np.integer[Any]],
    num_classes: int,
    ignore_index: int,
) -> ConfusionMatrix:
    """Count the pixels of one image by ground-truth class and predicted class.

    Args:
        prediction: Predicted train ids `(H, W)`; values outside 0..C - 1 count as errors.
        target: Ground-truth train ids `(H, W)`; pixels of `ignore_index` are not counted.
        num_classes: Number of classes, C.
        ignore_index: Train id of unlabelled pixels.

    Returns:
        int64 `(C, C + 1)`: a row per ground-truth class, a column per predicted class, and a last
        column for predictions out of range.

    Raises:
        ValueError: If the shapes differ.
    """
    if target.shape != prediction.shape:
        raise ValueError(f"prediction is {prediction.shape}, target {target.shape}")
    bins = num_classes * (num_classes + 1)
    predicted = prediction.astype(np.int64)
    predicted[(predicted < 0) | (predicted >= num_classes)] = num_classes
    pairs = target.astype(np.int64) * (num_classes + 1) + predicted
    # One extra bin takes the pixels of `ignore_index`.
    pairs[target == ignore_index] = bins
    counts = np.bincount(pairs.ravel(), minlength=bins + 1)[:bins]
    return counts.reshape(num_classes, num_classes + 1)


@dataclass(frozen=True)
class Scores:
    """The scores of a confusion matrix, in 0..1; NaN where a score is undefined.

    Attributes:
        miou: Mean IoU over the classes that occur in the ground truth or in the prediction.
        pixel_accuracy: Share of valid pixels that are correct.
        mean_accuracy: Mean accuracy of the classes that occur in the ground truth.
        fwiou: Frequency-weighted IoU: each class weighted by its share of the ground truth.
        classes_absent: Number of classes that neither the ground truth nor the prediction holds;
            `miou` leaves them out.
        iou: IoU of each class, `(C,)`.
        accuracy: Share of the pixels of each class that are correct, `(C,)`.
        pixels: Number of ground-truth pixels of each class, `(C,)`.
    """

    miou: float
    pixel_accuracy: float
    mean_accuracy: float
    fwiou: float
    classes_absent: int
    iou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    pixels: NDArray[np.int64]

    @classmethod
    def from_confusion(cls, matrix: ConfusionMatrix) -> "Scores":
        """Compute the scores of a confusion matrix `(C, C + 1)` from `confusion_matrix`."""
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
        """Return the scores over all classes, by their JSON keys."""
        return {
            "miou": self.miou,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "fwiou": self.fwiou,
            "classes_absent": self.classes_absent,
        }


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """Divide; NaN where the divisor is zero."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
