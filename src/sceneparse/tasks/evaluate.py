"""From a model's name and a data root to a score report."""

from collections.abc import Sequence
from pathlib import Path

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.dataset import Dataset
from sceneparse.errors import InputError
from sceneparse.factory.loading import find_weights, overridden, predictor_of
from sceneparse.recording.events import Callback, Progress, ignore
from sceneparse.system.device import select_device
from sceneparse.system.paths import expand_user
from sceneparse.tasks.score import ScoreReport
from sceneparse.training.memory import PREDICTION, advice_on_memory
from sceneparse.training.validation import evaluate_dataset


def evaluate(
    model: str | Path,
    *,
    data: str | Path | None = None,
    split: str = "validation",
    overrides: Sequence[str] = (),
    device: str = "auto",
    callback: Callback = ignore,
) -> ScoreReport:
    """Score a model on a split of the data it was trained on, or of the same kind elsewhere.

    Every image is scored at the size of its annotation; one confusion matrix over all images
    gives the scores.

    Args:
        model: A run folder, a weights file, or `bundled`.
        data: The data root; the one that the model was trained on if not given.
        split: Which part of the data.
        overrides: `inference.field=value`: images are sized for the network in another way.
        device: `auto`, or a torch device.
        callback: Called with each event.

    Raises:
        InputError: If the model or the data cannot be read, or their classes differ.

    Example:
        >>> report = sceneparse.evaluate("runs/mydata")  # doctest: +SKIP
        >>> report.scores.miou  # doctest: +SKIP
        0.61
    """
    root = None if data is None else expand_user(data)
    weights, dataset = open_model_and_data(model, root, split, overrides)
    predictor = predictor_of(weights, select_device(device))
    total, done = len(dataset), 0

    def on_image() -> None:
        nonlocal done
        done += 1
        callback(Progress("evaluating", done, total))

    callback(Progress("evaluating", 0, total))
    with advice_on_memory(PREDICTION):
        evaluation = evaluate_dataset(predictor, dataset, 2, on_image)
    source = root or getattr(weights.config.data, "root", "generated scenes")
    return ScoreReport(
        scores=evaluation.scores,
        labels=weights.labels,
        images=evaluation.images,
        source={"model": str(model), "data": str(source), "split": split},
        loss=evaluation.loss,
        resize=str(predictor),
        names=tuple(dataset.names),
        per_image=evaluation.per_image,
    )


def open_model_and_data(
    model: str | Path, data: Path | None, split: str, overrides: Sequence[str] = ()
) -> tuple[StoredModel, Dataset]:
    """Read a model and open the data to score it on.

    Raises:
        InputError: If either cannot be read, or their classes differ.
    """
    weights = overridden(find_weights(model), overrides)
    dataset = factory.dataset(weights.config.data, split, data)
    if dataset.labels.class_names != weights.labels.class_names:
        raise InputError(
            f"{model}: was trained on {weights.labels.num_classes} classes, the data have "
            f"{dataset.labels.num_classes}, or other names; evaluate it on data of its own classes"
        )
    return weights, dataset
