"""Scores of a predictor on a data set, at the size of each annotation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Mask
from sceneparse.metrics import Matrix, Scores, confusion_matrix


@dataclass(frozen=True)
class Evaluation:
    """The scores of a predictor on pictures.

    Attributes:
        scores: From one confusion matrix over all pictures.
        confusion: That matrix, int64 `(C, C + 1)`.
        loss: Mean cross-entropy per valid pixel, in nats.
        pictures: Number of pictures.
    """

    scores: Scores
    confusion: Matrix
    loss: float
    pictures: int


class EvaluationSums(NamedTuple):
    """What pictures add up to; those of several processes can be added too.

    Attributes:
        confusion: int64 `(C, C + 1)`.
        loss: Cross-entropy over all valid pixels, in nats.
        pictures: Number of pictures.
    """

    confusion: Matrix
    loss: float
    pictures: int

    def evaluation(self) -> Evaluation:
        """Compute the scores."""
        valid = int(self.confusion.sum())
        return Evaluation(
            scores=Scores.from_confusion(self.confusion),
            confusion=self.confusion,
            loss=self.loss / valid if valid else float("nan"),
            pictures=self.pictures,
        )


def evaluation_sums(
    predictor: Predictor,
    samples: Iterable[tuple[NDArray[np.uint8], Mask]],
    on_picture: Callable[[], Any] = lambda: None,
) -> EvaluationSums:
    """Predict every picture at the size of its annotation and count.

    Args:
        predictor: What is to be scored.
        samples: Pictures `(H, W, 3)` and masks of train ids `(H, W)`.
        on_picture: Called after each picture.
    """
    labels = predictor.labels
    confusion = np.zeros((labels.num_classes, labels.num_classes + 1), np.int64)
    loss, pictures = 0.0, 0
    for image, truth in samples:
        size = (truth.shape[0], truth.shape[1])
        answer = predictor.label_map(image, size, truth)
        confusion += confusion_matrix(truth, answer.mask, labels.num_classes, labels.ignore_index)
        loss += answer.loss or 0.0
        pictures += 1
        on_picture()
    return EvaluationSums(confusion, loss, pictures)
