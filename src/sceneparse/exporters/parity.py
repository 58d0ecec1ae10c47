"""The parity gate: an exported file must give the labels that PyTorch gives."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.exporters.samples import ParitySample
from sceneparse.labels import Labels, Mask
from sceneparse.metrics.scores import Scores, confusion_matrix

# Rounding changes fewer than one in a thousand labels, at boundaries between classes.
MIN_AGREEMENT = 0.999
# Largest difference of mIoU, in points of 100.
MAX_MIOU_POINTS = 0.1

# Computes the train ids `(H, W)` of an image `(H, W, D)`.
Segment = Callable[[NDArray[np.uint8]], Mask]


@dataclass(frozen=True)
class Parity:
    """How far two ways to compute labels agree.

    Attributes:
        images: Number of images.
        agreement: Share of pixels with the same label, in 0..1.
        worst: The image with the smallest share, and where and how its labels differ.
        miou: mIoU of the first and the second way, in 0..1; none without masks.
    """

    images: int
    agreement: float
    worst: str
    miou: tuple[float, float] | None

    def __str__(self) -> str:
        """Write agreement and scores."""
        text = f"{self.agreement:.4%} of the labels agree with PyTorch on {self.images} images"
        if self.miou is not None:
            text += f", mIoU {self.miou[1]:.4f} instead of {self.miou[0]:.4f}"
        return text


def compare_labels(
    reference: Segment, exported: Segment, samples: Iterable[ParitySample], labels: Labels
) -> Parity:
    """Compare the labels of two ways on each image.

    Args:
        reference: The first way.
        exported: The second way.
        samples: Images, with or without masks.
        labels: The classes.

    Raises:
        InputError: If there is no image.
    """
    num_classes, void = labels.num_classes, labels.ignore_index
    confusions = np.zeros((2, num_classes, num_classes + 1), np.int64)
    images = pixels = same_pixels = masks = 0
    worst, worst_agreement = "", math.inf
    for sample in samples:
        one, other = reference(sample.image), exported(sample.image)
        same = one == other
        images += 1
        pixels += same.size
        same_pixels += int(same.sum())
        if same.mean() < worst_agreement:
            worst_agreement = float(same.mean())
            worst = f"{sample.name}{_difference(one, other, labels)}"
        if sample.mask is not None:
            masks += 1
            confusions += [
                confusion_matrix(found, sample.mask, num_classes, void) for found in (one, other)
            ]
    if not images:
        raise InputError("found no image to compare the exported model on; give at least one")
    miou = None
    if masks:
        first, second = (Scores.from_confusion(confusion).miou for confusion in confusions)
        miou = (float(first), float(second))
    return Parity(images, same_pixels / pixels, worst, miou)


def require_parity(parity: Parity, what: str) -> None:
    """Refuse an exported model whose labels differ too much.

    Args:
        parity: The comparison.
        what: The way that was compared, for the message.

    Raises:
        InputError: If fewer labels agree than `MIN_AGREEMENT`, or the mIoU differs by more than
            `MAX_MIOU_POINTS`.
    """
    is_wrong = parity.agreement < MIN_AGREEMENT
    if parity.miou is not None:
        is_wrong = is_wrong or 100 * abs(parity.miou[1] - parity.miou[0]) > MAX_MIOU_POINTS
    if is_wrong:
        raise InputError(
            f"{what}: {parity}; expected at least {MIN_AGREEMENT:.1%}, and mIoU within "
            f"{MAX_MIOU_POINTS} points; they differ most in {parity.worst}; no file was written; "
            "report this with the config of the model, or export to safetensors"
        )


def _difference(one: Mask, other: Mask, labels: Labels) -> str:
    """Say in which rectangle two label maps differ, and which classes are confused most."""
    rows, columns = np.nonzero(one != other)
    if not len(rows):
        return ""
    pairs, counts = np.unique(
        np.stack([one[rows, columns], other[rows, columns]]), axis=1, return_counts=True
    )
    first, second = (labels.class_names[index] for index in pairs[:, counts.argmax()])
    return (
        f" ({one.shape[1]}×{one.shape[0]}): {len(rows)} pixels in columns {columns.min()} to "
        f"{columns.max()}, rows {rows.min()} to {rows.max()}, most often {first} as {second}"
    )
