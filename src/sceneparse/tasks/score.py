"""Scores of a set of predictions: the report, and the way to it from folders of index PNGs."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sceneparse.data.dataset import files_by_stem, read_annotation
from sceneparse.data.io.decode import MASK_SUFFIXES, read_mask
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask
from sceneparse.labels.files import read_labels
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
    """Scores, and what they are scores of.

    Attributes:
        scores: Over all images.
        labels: The classes.
        images: Number of images.
        source: What was scored on what, in words.
        names: Of the images.
        per_image: What each of them adds to the scores, int64 `(N, 3, C)`.
        loss: Mean cross-entropy per valid pixel in nats, if a network was run here.
        resize: How images were sized for the network, if one was run here.
        warnings: What the reader of the scores should know.
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
        """List id, name, IoU, accuracy and share of valid pixels of each class, in their order."""
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
        """How mIoU and pixel accuracy would vary with other images."""
        return bootstrap_intervals(self.per_image)

    def document(self) -> dict[str, Any]:
        """Return everything over all images as plain data for JSON; what is NaN is null."""
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
        """Yield the counts of each image as JSON: of the classes that it has anything of."""
        for name, counts in zip(self.names, self.per_image, strict=True):
            classes = np.flatnonzero(counts.any(axis=0))
            right, predicted, true = counts[:, classes].tolist()
            ids = [self.labels.raw_ids[place] for place in classes]
            yield json.dumps(
                {"name": name, "ids": ids, "right": right, "predicted": predicted, "true": true}
            )

    def write(self, path: Path) -> None:
        """Write the report as JSON, an image a line.

        Raises:
            InputError: If the file cannot be written.
        """
        images = ",\n  ".join(self.image_lines())
        document = json.dumps(self.document(), indent=1).removesuffix("\n}")
        text = f'{document},\n "per_image": [\n  {images}\n ]\n}}\n'
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def score(
    predictions: str | Path, annotations: str | Path, *, labels: Labels | str = "ade20k"
) -> ScoreReport:
    """Score index PNGs of any tool against annotations, both in the annotations' own ids.

    The prediction of an annotation is the file of the same name; other files, such as coloured
    maps beside them, are not looked at. A predicted id that is no class counts as wrong. A
    prediction of another size than its annotation is brought to it by nearest neighbour, and
    reported.

    Args:
        predictions: Folder of index PNGs.
        annotations: Folder of annotations.
        labels: The classes: the name of a published data set, a labels file, or labels.

    Raises:
        InputError: If predictions are missing, files are broken, or an annotation holds unknown
            ids.
    """
    if isinstance(labels, str):
        labels = read_labels(labels)
    targets = files_by_stem(expand_user(annotations), MASK_SUFFIXES)
    predicted = _predictions_of(targets, expand_user(predictions))
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
        own = confusion_matrix(
            _train_ids(raw, labels), target, labels.num_classes, labels.ignore_index
        )
        confusion += own
        per_image.append(image_counts(own))
    return ScoreReport(
        scores=Scores.from_confusion(confusion),
        labels=labels,
        images=len(targets),
        source={"predictions": str(predictions), "annotations": str(annotations)},
        names=tuple(targets),
        per_image=np.array(per_image),
        warnings=_size_warnings(resized),
    )


def _predictions_of(targets: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Find the prediction of each annotation."""
    found = files_by_stem(folder, MASK_SUFFIXES, only=targets.keys())
    missing = [target for stem, target in targets.items() if stem not in found]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{missing[0]}: annotation without a prediction of the same name in {folder}{more}; "
            "predict it too, or score against a folder of the annotations that were"
        )
    return found


def _train_ids(raw: Mask, labels: Labels) -> Mask:
    """Turn predicted raw ids into train ids; what is no class becomes one that never is right."""
    table = np.full(65536, labels.num_classes, dtype=np.uint16)
    table[list(labels.raw_ids)] = np.arange(labels.num_classes, dtype=np.uint16)
    return table[raw]


def _size_warnings(resized: list[str]) -> tuple[str, ...]:
    if not resized:
        return ()
    names = ", ".join(resized[:3]) + (", …" if len(resized) > 3 else "")
    return (
        f"{len(resized)} predictions have another size than their annotation and were brought to "
        f"it by nearest neighbour: {names}",
    )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
