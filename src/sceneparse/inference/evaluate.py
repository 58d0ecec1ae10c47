"""Scores of a predictor on a data set, at the size of each annotation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Mask
from sceneparse.metrics.bootstrap import PictureCounts, picture_counts
from sceneparse.metrics.scores import Matrix, Scores

Item = TypeVar("Item")


@dataclass(frozen=True)
class Evaluation:
    """The scores of a predictor on pictures.

    Attributes:
        scores: From one confusion matrix over all pictures.
        confusion: That matrix, int64 `(C, C + 1)`.
        loss: Mean cross-entropy per valid pixel, in nats.
        pictures: Number of pictures.
        per_picture: What each of them adds to the scores, int64 `(N, 3, C)`, in the order in which
            this process saw them.
    """

    scores: Scores
    confusion: Matrix
    loss: float
    pictures: int
    per_picture: PictureCounts


class EvaluationSums(NamedTuple):
    """What pictures add up to; those of several processes can be added too.

    Attributes:
        confusion: int64 `(C, C + 1)`.
        loss: Cross-entropy over all valid pixels, in nats.
        pictures: Number of pictures.
        per_picture: What each picture of this process adds to the scores, `(3, C)`.
    """

    confusion: Matrix
    loss: float
    pictures: int
    per_picture: Sequence[PictureCounts] = ()

    def evaluation(self) -> Evaluation:
        """Compute the scores."""
        valid = int(self.confusion.sum())
        counts = np.array(self.per_picture, np.int64).reshape(-1, 3, len(self.confusion))
        return Evaluation(
            scores=Scores.from_confusion(self.confusion),
            confusion=self.confusion,
            loss=self.loss / valid if valid else float("nan"),
            pictures=self.pictures,
            per_picture=counts,
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
    loss = 0.0
    per_picture: list[PictureCounts] = []
    for batch in _batches(samples, predictor.batch_size):
        images, truths = zip(*batch, strict=True)
        for counts in predictor.score(images, truths):
            confusion += counts.confusion
            loss += counts.loss
            per_picture.append(picture_counts(counts.confusion))
            on_picture()
    return EvaluationSums(confusion, loss, len(per_picture), per_picture)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items, so many at a time; the last ones may be fewer."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
