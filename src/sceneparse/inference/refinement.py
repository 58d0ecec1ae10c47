"""Refine probabilities at the edges of an image, for the few classes that it holds.

A refinement is a function of the probabilities of some classes at the decoder's stride and of the
image; it returns probabilities at a finer resolution. All 150 classes at that resolution would be
too large a tensor; but an image holds about ten of them, and only these are refined.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.decision import Counts, LabelMap, label_map, score
from sceneparse.inference.feature_map import log_probabilities, resampled, softmax
from sceneparse.inference.network import ImageLogits, as_array, like
from sceneparse.labels import Labels, Mask
from sceneparse.metrics.scores import confusion_matrix

# A class is refined if its probability reaches this anywhere; the others have no edge to move.
MIN_PROBABILITY = 0.05


class Refinement(Protocol):
    """Moves the edges of probabilities to the edges of an image."""

    def __call__(
        self, probabilities: NDArray[np.float32], image: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Refine.

        Args:
            probabilities: `(K, h, w)`, which sum to 1 over the classes; the image covers the whole
                feature map.
            image: `(H, W, C)`, RGB or bands.

        Returns:
            Probabilities `(K, h', w')` of the same classes, of any resolution, over the image.
        """
        ...


@dataclass(frozen=True)
class RefinedLogits:
    """The logits of those classes of an image that were refined.

    Attributes:
        logits: `(K, h, w)`; their softmax is the probability given one of these classes.
        classes: Train id of each, int64 `(K,)`.
        other_probability: Probability of each other class, the same at every pixel; 0 if there is
            no other class.
    """

    logits: ImageLogits
    classes: NDArray[np.int64]
    other_probability: float

    def share(self, num_classes: int) -> float:
        """Return the probability that a pixel is of one of the refined classes."""
        return 1 - self.other_probability * (num_classes - len(self.classes))

    def label_map(self, size: tuple[int, int], labels: Labels, max_bytes: int) -> LabelMap:
        """Choose the most probable class at a size; see `decision.label_map`."""
        found = label_map(self.logits, size, labels.dtype, max_bytes)
        mask = self.classes.astype(labels.dtype)[found.mask]
        share = np.float32(self.share(labels.num_classes))
        return LabelMap(mask, found.confidence * share)

    def score(self, target: Mask, labels: Labels, max_bytes: int) -> Counts:
        """Choose the classes at the size of the ground truth, and count; see `decision.score`."""
        void, num_classes = labels.ignore_index, labels.num_classes
        size = (target.shape[0], target.shape[1])
        mask = self.label_map(size, labels, max_bytes).mask
        index_of_class = np.full(void + 1, void, labels.dtype)
        index_of_class[self.classes] = np.arange(len(self.classes))
        refined_target = index_of_class[target]
        valid = np.count_nonzero(target != void)
        refined_valid = np.count_nonzero(refined_target != void)
        loss = score(self.logits, refined_target, void, max_bytes).loss
        loss -= refined_valid * np.log(self.share(num_classes))
        if valid > refined_valid:
            loss -= (valid - refined_valid) * np.log(self.other_probability)
        return Counts(confusion_matrix(mask, target, num_classes, void), float(loss))


def refined(logits: ImageLogits, image: NDArray[np.uint8], refinement: Refinement) -> RefinedLogits:
    """Refine the classes that an image `(H, W, C)` holds.

    The other classes share what is left of the probability evenly, so that the result is a
    distribution over all classes and its cross-entropy is finite.
    """
    present = present_classes(logits)
    values = log_probabilities(refinement(present.probabilities, image))
    covered = (float(values.shape[1]), float(values.shape[2]))
    return RefinedLogits(
        logits=ImageLogits(like(values, logits.values), covered),
        classes=present.classes,
        other_probability=present.other_probability,
    )


class PresentClasses(NamedTuple):
    """The classes that an image holds.

    Attributes:
        probabilities: `(K, h, w)`, which sum to 1 over the classes; the image covers the whole
            feature map.
        classes: Train id of each, int64 `(K,)`.
        other_probability: Probability of each other class, the same at every pixel; 0 if there is
            no other class.
    """

    probabilities: NDArray[np.float32]
    classes: NDArray[np.int64]
    other_probability: float


def present_classes(logits: ImageLogits) -> PresentClasses:
    """Choose the classes that are the most probable, or probable enough, anywhere in an image."""
    probabilities = softmax(as_array(logits.values))
    classes = np.flatnonzero(probabilities.max(axis=(1, 2)) >= MIN_PROBABILITY)
    classes = np.union1d(classes, probabilities.argmax(axis=0))
    kept = _without_padding(probabilities[classes], logits.covered)
    total = kept.sum(axis=0)
    others = len(probabilities) - len(classes)
    # Above 0 even if rounding leaves nothing.
    other_probability = max(1 - float(total.mean()), 1e-6) / others if others else 0.0
    return PresentClasses(kept / total, classes, other_probability)


def _without_padding(
    values: NDArray[np.float32], covered: tuple[float, float]
) -> NDArray[np.float32]:
    """Resample values `(K, h, w)` to a feature map that the image covers as a whole."""
    height, width = (max(1, round(length)) for length in covered)
    return resampled(values, covered, (height, width), (height, width))


def working_size(size: tuple[int, int], pixel_bytes: int, max_bytes: int) -> tuple[int, int]:
    """Reduce a height and width, ratio kept, to what a memory budget holds.

    Args:
        size: Height and width wanted.
        pixel_bytes: Memory per pixel.
        max_bytes: The budget.
    """
    height, width = size
    factor = min(1.0, (max_bytes / (pixel_bytes * height * width)) ** 0.5)
    return max(1, int(height * factor)), max(1, int(width * factor))
