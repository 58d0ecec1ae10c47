"""Score a model on a split of a data set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.dataset import Dataset
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import find_weights, predictor_of, with_overrides
from sceneparse.recording.events import Callback, Progress, ignore
from sceneparse.system.device import select_device
from sceneparse.system.paths import expand_user
from sceneparse.tasks.run_data import check_files
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
    """Score a model on a split of its own data set, or of another folder with the same layout.

    Each prediction is scored at the size of its mask. The scores come from one confusion matrix
    over all images.

    Args:
        model: A run folder, a weights file, or `bundled`.
        data: The data root; none for the one that the model was trained on.
        split: Name of the split.
        overrides: Changed settings of inference, as `inference.field=value`.
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
    data_settings = weights.config.data
    if root is not None and not isinstance(data_settings, SyntheticData):
        data_settings = replace(data_settings, root=root)
    check_files({split: dataset}, data_settings, callback)
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
    weights = with_overrides(find_weights(model), overrides)
    dataset = factory.dataset(weights.config.data, split, data)
    if dataset.labels.class_names != weights.labels.class_names:
        raise InputError(
            f"{model}: the model has {weights.labels.num_classes} classes, the data set has "
            f"{dataset.labels.num_classes} or names them differently; evaluate the model on a data "
            "set with the same classes"
        )
    return weights, dataset
