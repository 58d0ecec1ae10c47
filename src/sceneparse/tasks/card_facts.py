"""Gather what the card of a model says: scores, data and recipe, from its run folder."""

import json
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sceneparse import factory
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import RunConfig
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.model_files import model_digest
from sceneparse.labels import Labels
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.reports.model_card import CardScore, CardScores

_NAMES = {
    "miou": ("mIoU", "mean_iou"),
    "pixel_accuracy": ("pixel accuracy", "accuracy"),
    "mean_accuracy": ("mean accuracy", "mean_accuracy"),
    "fwiou": ("frequency-weighted IoU", "frequency_weighted_iou"),
}


def card_scores(model: Path | None, labels: Labels, given: Path | None) -> CardScores | None:
    """Return the scores of a model, from the first of these sources that exists.

    A score file that is given; `scores.json` in the run folder, if it is of these weights; the
    validation of the run.

    Args:
        model: A run folder or a weights file; none for other models.
        labels: The classes of the model.
        given: A file that `ScoreReport.write` wrote; none to look for one.

    Raises:
        InputError: If the file is not a score file, or one of other classes, or a file of the run
            folder is damaged.
    """
    if given is not None:
        return _scores_in_file(given, labels)
    if model is None or not model.is_dir():
        return None
    folder = RunFolder(model)
    found = folder.scores
    if found.is_file() and _weights_of(found) == model_digest(model):
        return _scores_in_file(found, labels)
    return _scores_of_run(folder)


def _weights_of(path: Path) -> str:
    """Return the digest of the weights that a score file is about; empty if it has none."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["weights"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _scores_in_file(path: Path, labels: Labels) -> CardScores:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        names = [entry["name"] for entry in document["per_class"]]
        bounds = document["interval_95"]
        scores = tuple(
            CardScore(*words, float(document[key]), _interval(bounds.get(key)))
            for key, words in _NAMES.items()
            if document[key] is not None
        )
        iou = {
            entry["name"]: float(entry["iou"])
            for entry in document["per_class"]
            if entry["iou"] is not None
        }
        images, split = int(document["images"]), str(document.get("split", ""))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})", "scores") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path}: not a score file, expected one that `sceneparse evaluate --json` wrote",
            "scores",
        ) from None
    pairs = zip_longest(names, labels.class_names)
    for number, (found, expected) in enumerate(pairs):
        if found != expected:
            raise InputError(
                f"{path}: found scores of the class {found or 'nothing'} where class {number} of "
                f"the model is {expected or 'nothing'}; evaluate this model",
                "scores",
            )
    noun = "image" if images == 1 else "images"
    of_split = f" of the split `{split}`" if split else ""
    origin = f"Scores at the size of each mask, over {images} {noun}{of_split}."
    return CardScores(scores, split, iou, origin)


def _interval(bounds: Any) -> tuple[float, float] | None:
    if bounds is None or None in bounds:
        return None
    low, high = bounds
    return float(low), float(high)


def _scores_of_run(folder: RunFolder) -> CardScores | None:
    """Return the scores of the epoch whose weights are kept."""
    validated = [row for row in folder.read_metrics() if "validation_miou" in row]
    if not validated:
        return None
    # As training does, which keeps the first of equal ones.
    kept = max(validated, key=lambda row: row["validation_miou"])
    scores = tuple(
        CardScore(*words, kept[f"validation_{key}"])
        for key, words in _NAMES.items()
        if f"validation_{key}" in kept
    )
    origin = "Scores of the validation during training, in the epoch that is kept."
    return CardScores(scores, "validation", {}, origin)


def data_name(config: RunConfig) -> str:
    """Name the data that a model was trained on."""
    match config.data:
        case SyntheticData():
            return "Generated scenes, in classes of ADE20K"
        case PublishedData() as data:
            return f"{data.title[0].upper()}{data.title[1:]}"
        case FolderData():
            return "Own images"


def data_in_words(config: RunConfig) -> str:
    """Describe the data of a training, with the number of images if they are still there."""
    counts = [
        f"{count} {split} images"
        for split in ("training", "validation")
        if (count := _number_of_images(config, split)) is not None
    ]
    bands = "" if config.bands is None else f" Bands {', '.join(map(str, config.bands))} of each."
    what = ", ".join(counts) or "their number is not known"
    return f"{data_name(config)}: {what}.{bands}"


def _number_of_images(config: RunConfig, split: str) -> int | None:
    try:
        return len(factory.dataset(config.data, split))
    except InputError:
        return None


def recipe(config: RunConfig, model: Path | None) -> dict[str, str]:
    """Describe how a model was trained, with what its run folder knows of time and machine.

    Args:
        config: The config of the run.
        model: A run folder or a weights file; none for other models.
    """
    optimizer, training = config.optimizer, config.training
    losses = getattr(config.loss, "terms", (config.loss,))
    folder = RunFolder(model) if model is not None and model.is_dir() else None
    return {
        "network": str(config.model),
        "started from": _start(config),
        "epochs": str(training.epochs),
        "batch size": str(training.batch_size),
        "image size": f"{config.transform.size} pixels in training, "
        f"{config.inference.size} in prediction",
        "optimizer": f"{type(optimizer).__name__}, learning rate {optimizer.lr:g}",
        "loss": " + ".join(type(loss).__name__.removesuffix("Loss") for loss in losses),
        "precision": str(training.precision),
        **(_time_and_machine(folder) if folder is not None else {}),
    }


def _start(config: RunConfig) -> str:
    match config.model.weights:
        case "none":
            return "random weights"
        case "bundled":
            return "the bundled model of sceneparse"
        case "imagenet":
            name = config.model.encoder if isinstance(config.model, EncoderUNetModel) else ""
            return f"ImageNet weights of {name}".rstrip()
        case str(address):
            return address
        case _:
            return "another model"  # A path of this machine is not published.


def _time_and_machine(folder: RunFolder) -> dict[str, str]:
    facts: dict[str, str] = {}
    if rows := folder.read_timing():
        seconds = sum(row.get("train_s", 0) + row.get("validation_s", 0) for row in rows)
        facts["time"] = f"{seconds / 60:.1f} minutes, with validation"
    return facts | (_machine(folder.read_environment()) if folder.environment.is_file() else {})


def _machine(environment: Mapping[str, Any]) -> dict[str, str]:
    accelerators = environment.get("accelerators") or ()
    versions = [f"sceneparse {environment.get('sceneparse')}"]
    versions += [f"torch {environment.get('packages', {}).get('torch')}"]
    return {
        "machine": ", ".join(accelerators)
        or f"{environment.get('processor')}, {environment.get('cores')} cores",
        "software": ", ".join(versions),
    }
