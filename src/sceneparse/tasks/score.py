"""Score folders of label maps, and report scores."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.annotation import MaskFile
from sceneparse.data.dataset import read_train_ids
from sceneparse.data.file_listing import files_by_stem
from sceneparse.data.io.masks import MASK_SUFFIXES, read_mask
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
    predictions: str | Path,
    annotations: str | Path,
    *,
    labels: Labels | str = "ade20k",
    map_ids: Mapping[int, int] | None = None,
    unknown_ids: Literal["error", "wrong"] = "error",
) -> ScoreReport:
    """Score label maps (PNG) of any tool against ground truth masks with the same ids.

    The prediction of a mask is the file of the same name; other files, such as coloured maps, are
    ignored. A predicted id that is ignored in masks counts as wrong. A prediction whose size
    differs from its mask is resized by nearest neighbour, and a warning lists it.

    Args:
        predictions: Folder of label maps.
        annotations: Folder of ground truth masks.
        labels: The classes: the name of a published data set, a labels file, or labels.
        map_ids: For ids of the predictions, the ids of the masks that they mean.
        unknown_ids: `error` to refuse predicted ids that are neither classes nor ignored; `wrong`
            to count them as wrong.

    Raises:
        InputError: If predictions are missing, files are broken, or ids are unknown.
    """
    if isinstance(labels, str):
        labels = read_labels(labels)
    targets = files_by_stem(expand_user(annotations), MASK_SUFFIXES)
    predicted = _find_predictions(targets, expand_user(predictions))
    confusion = np.zeros((labels.num_classes, labels.num_classes + 1), np.int64)
    per_image: list[ImageCounts] = []
    resized: list[str] = []
    mapping = _id_table(map_ids) if map_ids else None
    foreign = _ForeignIds(labels)
    for stem, path in targets.items():
        target = read_train_ids(MaskFile(path), labels)
        raw = read_mask(predicted[stem])
        if mapping is not None:
            raw = mapping[raw]
        if raw.shape != target.shape:
            resized.append(predicted[stem].name)
            height, width = target.shape
            raw = np.array(Image.fromarray(raw).resize((width, height), Image.Resampling.NEAREST))
        foreign.add(raw, target)
        image_confusion = confusion_matrix(
            _train_ids(raw, labels), target, labels.num_classes, labels.ignore_index
        )
        confusion += image_confusion
        per_image.append(image_counts(image_confusion))
    if unknown_ids == "error":
        foreign.refuse()
    return ScoreReport(
        scores=Scores.from_confusion(confusion),
        labels=labels,
        images=len(targets),
        source={"predictions": str(predictions), "annotations": str(annotations)},
        names=tuple(targets),
        per_image=np.array(per_image),
        warnings=(*_size_warnings(resized), *foreign.warnings()),
    )


class _ForeignIds:
    """Counts predicted ids that are neither classes nor ignored, and the classes they lie on."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._known = np.zeros(65536, np.bool_)
        self._known[[*labels.raw_ids, *labels.ignored_ids]] = True
        self._overlap: dict[int, NDArray[np.int64]] = {}
        self._pixels = 0

    def add(self, raw: Mask, target: Mask) -> None:
        """Count the pixels of a prediction `(H, W)` in raw ids, with its mask in train ids."""
        self._pixels += raw.size
        is_foreign = ~self._known[raw]
        if not is_foreign.any():
            return
        classes = self._labels.num_classes
        for value in np.unique(raw[is_foreign]).tolist():
            found = np.bincount(target[raw == value], minlength=classes)
            counted = np.append(found[:classes], found[classes:].sum())
            self._overlap[value] = self._overlap.get(value, np.zeros_like(counted)) + counted

    def _text(self) -> str:
        ids = ", ".join(map(str, sorted(self._overlap)[:8]))
        share = sum(int(counts.sum()) for counts in self._overlap.values()) / max(1, self._pixels)
        return f"predictions hold ids {ids} in {share:.1%} of their pixels"

    def refuse(self) -> None:
        """Refuse foreign ids, and propose what they mean.

        Raises:
            InputError: If there are any.
        """
        if not self._overlap:
            return
        likely = {
            value: self._labels.raw_ids[int(counts[:-1].argmax())]
            for value, counts in sorted(self._overlap.items())
            if counts[:-1].any()
        }
        names = dict(zip(self._labels.raw_ids, self._labels.class_names, strict=True))
        proposal = ""
        if likely and len(set(likely.values())) == len(likely):
            proposal = "; they lie most on " + ", ".join(
                f"{value}={raw} ({names[raw]})" for value, raw in list(likely.items())[:8]
            )
        raise InputError(
            f"{self._text()}, which are neither classes nor ignored{proposal}; map them to the ids "
            "of the masks, or count them as wrong",
            "map_ids",
            "unknown_ids",
        )

    def warnings(self) -> tuple[str, ...]:
        """Say that foreign ids count as wrong."""
        return (
            (f"{self._text()}, which are no classes and count as wrong",) if self._overlap else ()
        )


def _id_table(map_ids: Mapping[int, int]) -> Mask:
    """Return the id that each of 65,536 predicted ids means.

    Raises:
        InputError: If an id is outside 0..65535.
    """
    table = np.arange(65536, dtype=np.uint16)
    for predicted, meant in map_ids.items():
        if not (0 <= predicted <= 65535 and 0 <= meant <= 65535):
            raise InputError(f"map_ids: found {predicted}={meant}; expected ids in 0..65535")
        table[predicted] = meant
    return table


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
