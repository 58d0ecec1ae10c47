"""Scores of a predictor on a data set, at the size of each annotation."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Mask
from sceneparse.metrics import Matrix, Scores

Item = TypeVar("Item")


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
        samples: Pictures `(H, W, 3)` and masks of train ids `(H, W)`, of any sizes.
        on_picture: Called after each picture.
    """
    classes = predictor.labels.num_classes
    confusion = np.zeros((classes, classes + 1), np.int64)
    loss, pictures = 0.0, 0
    for batch in _batches(samples, predictor.batch_size):
        images, truths = zip(*batch, strict=True)
        for counts in predictor.score(images, truths):
            confusion += counts.confusion
            loss += counts.loss
            pictures += 1
            on_picture()
    return EvaluationSums(confusion, loss, pictures)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items, so many at a time; the last ones may be fewer."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
