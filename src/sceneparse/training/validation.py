"""Evaluation of a predictor on a data set."""

from collections.abc import Callable, Sequence
from typing import Any

from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import prefetch
from sceneparse.inference.evaluation import Evaluation, EvaluationSums, evaluation_sums
from sceneparse.inference.predictor import Predictor


def evaluate_dataset(
    predictor: Predictor,
    dataset: Dataset,
    threads: int,
    on_image: Callable[[], Any] = lambda: None,
) -> Evaluation:
    """Evaluate on a data set; the next images are read while the network runs."""
    everything = range(len(dataset))
    return count_images(predictor, dataset, everything, threads, on_image).evaluation()


def count_images(
    predictor: Predictor,
    dataset: Dataset,
    indices: Sequence[int],
    threads: int,
    on_image: Callable[[], Any] = lambda: None,
) -> EvaluationSums:
    """Count on some images of a data set, such as one process's share of them."""
    ahead = 2 * max(threads, predictor.batch_size)
    samples = prefetch(dataset.__getitem__, indices, threads=threads, ahead=ahead)
    pairs = ((sample.image, sample.mask) for sample in samples)
    return evaluation_sums(predictor, pairs, on_image)
