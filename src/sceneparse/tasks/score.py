"""Score folders of label maps, and report scores."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sceneparse.data.dataset import read_annotation
from sceneparse.data.io.masks import MASK_SUFFIXES, read_mask
from sceneparse.data.pairing import files_by_stem
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask
from sceneparse.labels.label_files import read_labels
from sceneparse.metrics.bootstrap import (
    RESAMPLES,
    ImageCounts,
    ScoreIntervals,
    bootstrap_intervals,
    image_counts,
)
from sceneparse.metrics.scores import Scores, confusion_matrix
from sceneparse.system.paths import expand_user


@dataclass(frozen=True)
class ScoreReport:
    """Scores with their origin.

    Attributes:
        scores: Scores over all images.
        labels: The classes.
        images: Number of images.
        source: Origin of the predictions and the ground truth, by name.
        names: Names of the images.
        per_image: Counts that each image adds to the scores, int64 `(N, 3, C)`.
        loss: Mean cross-entropy per valid pixel in nats; none if no network was run.
        resize: How images were resized for the network; none if no network was run.
        warnings: Warnings about the scores.
    """

    scores: Scores
    labels: Labels
    images: int
    source: dict[str, str]
    names: tuple[str, ...]
    per_image: ImageCounts
    loss: float | None = None
    resize: str | None = None
    warnings: tuple[str, ...] = ()

    def per_class(self) -> list[dict[str, Any]]:
        """List id, name, IoU, accuracy and share of valid pixels of each class, by train id."""
        scores = self.scores
        total = max(1, int(scores.pixels.sum()))
        return [
            {
                "id": raw,
                "name": name,
                "iou": _or_none(float(scores.iou[index])),
                "accuracy": _or_none(float(scores.accuracy[index])),
                "share": int(scores.pixels[index]) / total,
            }
            for index, (raw, name) in enumerate(
                zip(self.labels.raw_ids, self.labels.class_names, strict=True)
            )
        ]

    @cached_property
    def intervals(self) -> ScoreIntervals:
        """95 % bootstrap confidence intervals of mIoU and pixel accuracy."""
        return bootstrap_intervals(self.per_image)

    def document(self) -> dict[str, Any]:
        """Return all but the counts per image as plain data for JSON, with null for NaN."""
        summary = {key: _or_none(value) for key, value in self.scores.summary().items()}
        bounds = {
            key: [_or_none(interval.low), _or_none(interval.high)]
            for key, interval in self.intervals._asdict().items()
        }
        return {
            **summary,
            "interval_95": {**bounds, "resamples": RESAMPLES},
            "loss": None if self.loss is None else _or_none(self.loss),
            "images": self.images,
            "resize": self.resize,
            **self.source,
            "warnings": list(self.warnings),
            "per_class": self.per_class(),
        }

    def image_lines(self) -> Iterator[str]:
        """Yield the counts of each image as JSON, limited to classes with a count above zero."""
        for name, counts in zip(self.names, self.per_image, strict=True):
            classes = np.flatnonzero(counts.any(axis=0))
            right, predicted, true = counts[:, classes].tolist()
            ids = [self.labels.raw_ids[index] for index in classes]
            yield json.dumps(
                {"name": name, "ids": ids, "right": right, "predicted": predicted, "true": true}
            )

    def write(self, path: Path) -> None:
        """Write the report as JSON, with one line per image.

        Raises:
            InputError: If the file cannot be written.
        """
        images = ",\n  ".join(self.image_lines())
        document = json.dumps(self.document(), indent=1).removesuffix("\n}")
        text = f'{document},\n "per_image": [\n  {images}\n ]\n}}\n'
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); choose another file"
            ) from None


def score(
    predictions: str | Path, annotations: str | Path, *, labels: Labels | str = "ade20k"
) -> ScoreReport:
    """Score label maps (PNG) of any tool against ground truth masks with the same ids.

    The prediction of a mask is the file of the same name; other files, such as coloured maps, are
    ignored. A predicted id that is not a class counts as wrong. A prediction whose size differs
    from its mask is resized by nearest neighbour, and a warning lists it.

    Args:
        predictions: Folder of label maps.
        annotations: Folder of ground truth masks.
        labels: The classes: the name of a published data set, a labels file, or labels.

    Raises:
        InputError: If predictions are missing, files are broken, or a mask holds unknown ids.
    """
    if isinstance(labels, str):
        labels = read_labels(labels)
    targets = files_by_stem(expand_user(annotations), MASK_SUFFIXES)
    predicted = _find_predictions(targets, expand_user(predictions))
    confusion = np.zeros((labels.num_classes, labels.num_classes + 1), np.int64)
    per_image: list[ImageCounts] = []
    resized: list[str] = []
    for stem, path in targets.items():
        target = read_annotation(path, labels)
        raw = read_mask(predicted[stem])
        if raw.shape != target.shape:
            resized.append(predicted[stem].name)
            height, width = target.shape
            raw = np.array(Image.fromarray(raw).resize((width, height), Image.Resampling.NEAREST))
        image_confusion = confusion_matrix(
            _train_ids(raw, labels), target, labels.num_classes, labels.ignore_index
        )
        confusion += image_confusion
        per_image.append(image_counts(image_confusion))
    return ScoreReport(
        scores=Scores.from_confusion(confusion),
        labels=labels,
        images=len(targets),
        source={"predictions": str(predictions), "annotations": str(annotations)},
        names=tuple(targets),
        per_image=np.array(per_image),
        warnings=_size_warnings(resized),
    )


def _find_predictions(targets: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Find the prediction of each ground truth mask."""
    found = files_by_stem(folder, MASK_SUFFIXES, only=targets.keys())
    missing = [target for stem, target in targets.items() if stem not in found]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{missing[0]}: no prediction with this name in {folder}{more}; predict all images, or "
            "remove the masks without predictions"
        )
    return found


def _train_ids(raw: Mask, labels: Labels) -> Mask:
    """Map predicted raw ids to train ids; unknown ids become a class that is always wrong."""
    table = np.full(65536, labels.num_classes, dtype=np.uint16)
    table[list(labels.raw_ids)] = np.arange(labels.num_classes, dtype=np.uint16)
    return table[raw]


def _size_warnings(resized: list[str]) -> tuple[str, ...]:
    if not resized:
        return ()
    names = ", ".join(resized[:3]) + (", …" if len(resized) > 3 else "")
    return (
        f"{len(resized)} predictions differ in size from their masks and were resized by nearest "
        f"neighbour: {names}",
    )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
