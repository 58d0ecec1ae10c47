"""Probabilities brought nearer to the edges in the photo, for the few classes of an image.

A refinement is a function of the probabilities of some classes at the decoder's stride and of the
photo; it answers with probabilities on a finer grid. With 150 classes that grid would be the big
tensor; but of those an image holds about ten, and only these are refined.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend, Counts, LabelMap
from sceneparse.inference.feature_map import log_probabilities, resampled, softmax
from sceneparse.inference.resize import CoveredLogits
from sceneparse.labels import Labels, Mask
from sceneparse.metrics.scores import confusion_matrix

# A class is refined if it reaches this probability in some cell; the others have no edge to move.
LEAST_PROBABILITY = 0.05


class Refinement(Protocol):
    """Moves probabilities to the edges of a photo."""

    def __call__(
        self, probabilities: NDArray[np.float32], image: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Refine.

        Args:
            probabilities: `(K, h, w)`, each sum over the classes 1; their cells take up the whole
                image and nothing beyond.
            image: The photo `(H, W, 3)`.

        Returns:
            Probabilities `(K, h', w')` of the same classes, on any grid over the image.
        """
        ...


@dataclass(frozen=True)
class Refined:
    """The answer for some of the classes of one image.

    Attributes:
        logits: `(K, h, w)`; their softmax are probabilities given that it is one of these classes.
        classes: Train id of each, int64 `(K,)`.
        left_out: Probability of each other class, the same everywhere; 0 if there is none.
    """

    logits: NDArray[np.float32]
    classes: NDArray[np.int64]
    left_out: float

    @property
    def covered(self) -> tuple[float, float]:
        """Rows and columns of cells that the image takes up: all."""
        return self.logits.shape[1], self.logits.shape[2]

    def share(self, num_classes: int) -> float:
        """Return the probability that it is one of these classes."""
        return 1 - self.left_out * (num_classes - len(self.classes))

    def label_map(self, backend: Backend, size: tuple[int, int], labels: Labels) -> LabelMap:
        """Decide at a size."""
        answer = backend.label_map(self.logits, self.covered, size)
        mask = self.classes.astype(labels.dtype)[answer.mask]
        share = np.float32(self.share(labels.num_classes))
        return LabelMap(mask, answer.confidence * share)

    def score(self, backend: Backend, target: Mask, labels: Labels) -> Counts:
        """Decide at the size of the ground truth and count."""
        void, classes = labels.ignore_index, labels.num_classes
        mask = self.label_map(backend, (target.shape[0], target.shape[1]), labels).mask
        place = np.full(void + 1, void, labels.dtype)
        place[self.classes] = np.arange(len(self.classes))
        among = place[target]
        valid, kept = np.count_nonzero(target != void), np.count_nonzero(among != void)
        loss = backend.score(self.logits, self.covered, among).loss
        loss -= kept * np.log(self.share(classes))
        if valid > kept:
            loss -= (valid - kept) * np.log(self.left_out)
        return Counts(confusion_matrix(mask, target, classes, void), float(loss))


def refined(answer: CoveredLogits, image: NDArray[np.uint8], refinement: Refinement) -> Refined:
    """Refine the answer for a photo `(H, W, 3)`: the classes that occur, on its own cells.

    What the other classes had together is spread over them evenly, so that the result is a
    distribution over all classes, and its cross-entropy finite.
    """
    kept = occurring(answer)
    return Refined(
        log_probabilities(refinement(kept.probabilities, image)), kept.classes, kept.left_out
    )


class Occurring(NamedTuple):
    """The classes that occur in an image.

    Attributes:
        probabilities: `(K, h, w)`, each sum over the classes 1; their cells take up the whole
            image and nothing beyond.
        classes: Train id of each, int64 `(K,)`.
        left_out: Probability of each other class, the same everywhere; 0 if there is none.
    """

    probabilities: NDArray[np.float32]
    classes: NDArray[np.int64]
    left_out: float


def occurring(answer: CoveredLogits) -> Occurring:
    """Choose the classes that occur: those with something to decide."""
    probabilities = softmax(answer.logits)
    classes = np.flatnonzero(probabilities.max(axis=(1, 2)) >= LEAST_PROBABILITY)
    classes = np.union1d(classes, probabilities.argmax(axis=0))
    kept = _filling_the_image(probabilities[classes], answer.covered)
    total = kept.sum(axis=0)
    others = len(probabilities) - len(classes)
    # Above 0 even if rounding says that nothing is left.
    left_out = max(1 - float(total.mean()), 1e-6) / others if others else 0.0
    return Occurring(kept / total, classes, left_out)


def _filling_the_image(
    values: NDArray[np.float32], covered: tuple[float, float]
) -> NDArray[np.float32]:
    """Bring values `(K, h, w)` to cells of which none lies beyond the image."""
    rows, columns = (max(1, round(length)) for length in covered)
    return resampled(values, covered, (rows, columns), (rows, columns))


def working_size(size: tuple[int, int], pixel_bytes: int, most_bytes: int) -> tuple[int, int]:
    """Reduce a height and width, ratio kept, to what a budget of memory holds.

    Args:
        size: What is wanted.
        pixel_bytes: Memory that each pixel takes.
        most_bytes: The budget.
    """
    height, width = size
    factor = min(1.0, (most_bytes / (pixel_bytes * height * width)) ** 0.5)
    return max(1, int(height * factor)), max(1, int(width * factor))
