"""Score a predictor on a data set, at the size of each annotation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np

from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import prefetch
from sceneparse.inference.predictor import Predictor
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


def evaluate_dataset(
    predictor: Predictor,
    dataset: Dataset,
    threads: int,
    on_image: Callable[[], Any] = lambda: None,
) -> Evaluation:
    """Predict every image of a data set at the size of its annotation, and score it.

    Args:
        predictor: The predictor to score.
        dataset: Images and masks, of any sizes.
        threads: Threads that read the next images while the network runs.
        on_image: Called after each image.
    """
    everything = range(len(dataset))
    return evaluation_sums(predictor, dataset, everything, threads, on_image).evaluation()


def evaluation_sums(
    predictor: Predictor,
    dataset: Dataset,
    indices: Sequence[int],
    threads: int,
    on_image: Callable[[], Any] = lambda: None,
) -> EvaluationSums:
    """Add up the confusion matrices and losses of some images of a data set.

    Args:
        predictor: The predictor to score.
        dataset: Images and masks, of any sizes.
        indices: Which of its images, such as the share of a process.
        threads: Threads that read the next images while the network runs.
        on_image: Called after each image.
    """
    classes = predictor.labels.num_classes
    confusion = np.zeros((classes, classes + 1), np.int64)
    loss = 0.0
    per_image: list[ImageCounts] = []
    ahead = 2 * max(threads, predictor.batch_size)
    samples = prefetch(dataset.__getitem__, indices, threads=threads, ahead=ahead)
    for batch in _batches(samples, predictor.batch_size):
        images, targets = zip(*((sample.image, sample.mask) for sample in batch), strict=True)
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
