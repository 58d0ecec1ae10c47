"""Score a model on a split of a data set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sceneparse import factory
from sceneparse.data.dataset import Dataset
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import OpenedModel, open_model
from sceneparse.factory.model_files import model_digest
from sceneparse.factory.runtime_choice import pinned_model
from sceneparse.inference.evaluation import evaluate_dataset
from sceneparse.recording.events import Callback, Message, Progress, ignore
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory
from sceneparse.system.paths import expand_user
from sceneparse.tasks.check import check_files
from sceneparse.tasks.score import ScoreReport


def evaluate(
    model: str | Path,
    *,
    data: str | Path | None = None,
    split: str = "validation",
    overrides: Sequence[str] = (),
    device: str = "auto",
    runtime: str = "auto",
    callback: Callback = ignore,
) -> ScoreReport:
    """Score a model on a split of its own data set, or of another folder with the same layout.

    Each prediction is scored at the size of its mask. The scores come from one confusion matrix
    over all images.

    Args:
        model: A run folder, a weights file, an ONNX file, `bundled`, or `hf://owner/name`.
        data: The data root; none for the one that the model was trained on.
        split: Name of the split.
        overrides: Changed settings of inference, as `inference.field=value`.
        device: `auto`, or a device such as `cpu` or `cuda`.
        runtime: What computes the network; see `sceneparse.load`.
        callback: Called with each event.

    Raises:
        InputError: If the model or the data cannot be read, or their classes differ.

    Example:
        >>> report = sceneparse.evaluate("runs/mydata")  # doctest: +SKIP
        >>> report.scores.miou  # doctest: +SKIP
        0.61
    """
    root = None if data is None else expand_user(data)
    model = pinned_model(model, device, runtime, lambda text: callback(Message(text)))
    opened = open_model(model, device, runtime, overrides)
    dataset = open_data_of(opened, root, split)
    data_settings = opened.config.data
    if root is not None and not isinstance(data_settings, SyntheticData):
        data_settings = replace(data_settings, root=root)
    check_files({split: dataset}, data_settings, callback)
    predictor = opened.predictor()
    callback(Message(str(predictor.network)))
    total, done = len(dataset), 0

    def on_image() -> None:
        nonlocal done
        done += 1
        callback(Progress("evaluating", done, total))

    callback(Progress("evaluating", 0, total))
    with advice_on_memory(PREDICTION):
        evaluation = evaluate_dataset(predictor, dataset, 2, on_image)
    source = root or getattr(opened.config.data, "root", "generated scenes")
    return ScoreReport(
        scores=evaluation.scores,
        labels=opened.labels,
        images=evaluation.images,
        source={
            "model": str(model),
            "weights": model_digest(model),
            "data": str(source),
            "split": split,
        },
        loss=evaluation.loss,
        resize=str(predictor),
        names=tuple(dataset.names),
        per_image=evaluation.per_image,
    )


def open_data_of(model: OpenedModel, data: Path | None, split: str) -> Dataset:
    """Open the data to score a model on.

    Raises:
        InputError: If the data cannot be read, or their classes are not the model's.
    """
    trained_on = getattr(model.config.data, "root", None)
    if data is None and trained_on is not None and not trained_on.is_dir():
        raise InputError(
            f"{trained_on}: no such folder; the model was trained on data there; give the folder "
            "where they are now",
            "data",
        )
    dataset = factory.dataset(model.config.data, split, data)
    check_same_classes(model.labels.class_names, dataset.labels.class_names)
    return dataset


def check_same_classes(learned: Sequence[str], found: Sequence[str]) -> None:
    """Refuse a data set whose classes are not those of the model, and name the difference.

    Args:
        learned: Names of the model's classes.
        found: Names of the data set's.

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
    raise InputError(difference)
