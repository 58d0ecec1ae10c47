"""Score a predictor on a data set, at the size of each annotation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Mask
from sceneparse.metrics.bootstrap import ImageCounts, image_counts
from sceneparse.metrics.scores import ConfusionMatrix, Scores

Item = TypeVar("Item")


@dataclass(frozen=True)
class Evaluation:
    """The scores of a predictor on images.

    Attributes:
        scores: Scores of the confusion matrix.
        confusion: Confusion matrix over all images, int64 `(C, C + 1)`.
        loss: Mean cross-entropy per valid pixel, in nats.
        images: Number of images.
        per_image: Counts of each image that this process scored, in its order, int64 `(N, 3, C)`.
    """

    scores: Scores
    confusion: ConfusionMatrix
    loss: float
    images: int
    per_image: ImageCounts


class EvaluationSums(NamedTuple):
    """Sums over images, to which those of other processes can be added.

    Attributes:
        confusion: Confusion matrix, int64 `(C, C + 1)`.
        loss: Cross-entropy in nats, summed over the valid pixels.
        images: Number of images.
        per_image: Counts of each image of this process, `(3, C)`.
    """

    confusion: ConfusionMatrix
    loss: float
    images: int
    per_image: Sequence[ImageCounts] = ()

    def evaluation(self) -> Evaluation:
        """Compute the scores."""
        valid = int(self.confusion.sum())
        counts = np.array(self.per_image, np.int64).reshape(-1, 3, len(self.confusion))
        return Evaluation(
            scores=Scores.from_confusion(self.confusion),
            confusion=self.confusion,
            loss=self.loss / valid if valid else float("nan"),
            images=self.images,
            per_image=counts,
        )


def evaluation_sums(
    predictor: Predictor,
    samples: Iterable[tuple[NDArray[np.uint8], Mask]],
    on_image: Callable[[], Any] = lambda: None,
) -> EvaluationSums:
    """Predict every image at the size of its annotation, and count.

    Args:
        predictor: The predictor to score.
        samples: Images `(H, W, C)` and masks of train ids `(H, W)`, of any sizes.
        on_image: Called after each image.
    """
    classes = predictor.labels.num_classes
    confusion = np.zeros((classes, classes + 1), np.int64)
    loss = 0.0
    per_image: list[ImageCounts] = []
    for batch in _batches(samples, predictor.batch_size):
        images, targets = zip(*batch, strict=True)
        for counts in predictor.score(images, targets):
            confusion += counts.confusion
            loss += counts.loss
            per_image.append(image_counts(counts.confusion))
            on_image()
    return EvaluationSums(confusion, loss, len(per_image), per_image)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in batches of a size; the last one may be smaller."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
