"""From a model's name and a data root to a score report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from sceneparse import factory
from sceneparse.checkpoint import Weights
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import prefetched
from sceneparse.errors import InputError
from sceneparse.factory.loading import find_weights, overridden, predictor_of
from sceneparse.inference.evaluate import Evaluation, EvaluationSums, evaluation_sums
from sceneparse.inference.predictor import Predictor
from sceneparse.system.device import best_device
from sceneparse.tasks.memory import PREDICTION, advice_on_memory
from sceneparse.tasks.score import ScoreReport


@dataclass(frozen=True)
class EvaluationTarget:
    """What is to be scored on what.

    Attributes:
        model: A run folder, a weights file, or `bundled`.
        root: Where the data are; none for where the model was trained.
        split: Which part of them.
        overrides: `inference.field=value`: images are sized for the network in another way.
    """

    model: str
    root: Path | None = None
    split: str = "validation"
    overrides: tuple[str, ...] = ()


def evaluate_model(target: EvaluationTarget, device: str, console: Console) -> ScoreReport:
    """Score a model on a split of the data it was trained on, or of the same kind elsewhere.

    Raises:
        InputError: If the model or the data cannot be read, or their classes differ.
    """
    weights, dataset = opened(target)
    predictor = predictor_of(weights, best_device(device))
    with Progress(console=console, transient=True) as progress, advice_on_memory(PREDICTION):
        task = progress.add_task("evaluating", total=len(dataset))
        evaluation = score(predictor, dataset, 2, lambda: progress.advance(task))
    data = target.root or getattr(weights.config.data, "root", "generated scenes")
    return ScoreReport(
        scores=evaluation.scores,
        labels=weights.labels,
        images=evaluation.images,
        source={"model": target.model, "data": str(data), "split": target.split},
        loss=evaluation.loss,
        resize=str(predictor),
        names=tuple(dataset.names),
        per_image=evaluation.per_image,
    )


def opened(target: EvaluationTarget) -> tuple[Weights, Dataset]:
    """Read a model and open its data.

    Raises:
        InputError: If either cannot be read, or their classes differ.
    """
    weights = overridden(find_weights(target.model), target.overrides)
    dataset = factory.dataset(weights.config.data, target.split, target.root)
    if dataset.labels.class_names != weights.labels.class_names:
        raise InputError(
            f"{target.model}: was trained on {weights.labels.num_classes} classes, the data have "
            f"{dataset.labels.num_classes}, or other names; evaluate it on data of its own classes"
        )
    return weights, dataset


def score(
    predictor: Predictor,
    dataset: Dataset,
    threads: int,
    on_image: Callable[[], Any] = lambda: None,
) -> Evaluation:
    """Evaluate on a data set; the next images are read while the network runs."""
    everything = range(len(dataset))
    return score_sums(predictor, dataset, everything, threads, on_image).evaluation()


def score_sums(
    predictor: Predictor,
    dataset: Dataset,
    indices: Sequence[int],
    threads: int,
    on_image: Callable[[], Any] = lambda: None,
) -> EvaluationSums:
    """Count on some images of a data set, such as one process's share of them."""
    ahead = 2 * max(threads, predictor.batch_size)
    samples = prefetched(dataset.__getitem__, indices, threads=threads, ahead=ahead)
    pairs = ((sample.image, sample.mask) for sample in samples)
    return evaluation_sums(predictor, pairs, on_image)
