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
    trained_on = getattr(weights.config.data, "root", None)
    if data is None and trained_on is not None and not trained_on.is_dir():
        raise InputError(
            f"{trained_on}: no such folder; the model was trained on data there; give the folder "
            "where they are now",
            "data",
        )
    dataset = factory.dataset(weights.config.data, split, data)
    _check_same_classes(str(model), weights.labels.class_names, dataset.labels.class_names)
    return weights, dataset


def _check_same_classes(model: str, learned: Sequence[str], found: Sequence[str]) -> None:
    """Refuse a data set whose classes are not those of the model, and name the difference.

    Raises:
        InputError: If names or their order differ.
    """
    if list(learned) == list(found):
        return
    known, given = set(learned), set(found)
    if known == given:
        index = next(
            i for i, (one, two) in enumerate(zip(learned, found, strict=True)) if one != two
        )
        difference = (
            f"the same {len(learned)} classes in another order: class {index} of the model is "
            f"`{learned[index]}`, that of the data `{found[index]}`; list them in the order of the "
            "model, with the ids of your masks"
        )
    else:
        parts = [
            f"{what}: {', '.join(sorted(names)[:5])}{', …' if len(names) > 5 else ''}"
            for what, names in (
                ("the model alone has", known - given),
                ("the data alone have", given - known),
            )
            if names
        ]
        difference = (
            f"the model has {len(learned)} classes, the data set {len(found)}; {'; '.join(parts)}; "
            "rename the classes of the data, or evaluate the model on data with the same classes"
        )
    raise InputError(f"{model}: {difference}")
