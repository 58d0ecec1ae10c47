"""Comparison of two score files of the same images."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.metrics.bootstrap import ImageCounts, ScoreDifferences, bootstrap_differences
from sceneparse.system.files import read_short_text


class ScoreFile(NamedTuple):
    """The counts of each image in a score file.

    Attributes:
        path: The file.
        ids: Class name by raw id.
        names: Name of each image.
        counts: Correct, predicted and ground-truth pixels per image and class, `(N, 3, C)`.
    """

    path: Path
    ids: dict[int, str]
    names: list[str]
    counts: ImageCounts


class ClassChange(NamedTuple):
    """The IoU of one class in two score files.

    Attributes:
        name: Name of the class.
        first: IoU in the first file; NaN if the class is absent there.
        second: IoU in the second file.
    """

    name: str
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """How the second of two score files differs from the first.

    Attributes:
        images: Number of images.
        totals: Counts of each file, summed over the images, `(2, 3, C)`.
        differences: Score differences, from a paired bootstrap over the images.
        class_names: Names of the classes.
    """

    images: int
    totals: ImageCounts
    differences: ScoreDifferences
    class_names: tuple[str, ...]

    def class_changes(self, max_count: int = 5) -> tuple[list[ClassChange], list[ClassChange]]:
        """List the classes with the largest gains and those with the largest losses in IoU."""
        right, predicted, true = np.moveaxis(self.totals, 1, 0)
        union = true + predicted - right
        iou = np.divide(right, union, out=np.full(right.shape, np.nan), where=union > 0)
        iou_change = iou[1] - iou[0]
        order = [int(index) for index in np.argsort(iou_change) if not np.isnan(iou_change[index])]
        changes = [ClassChange(self.class_names[index], *iou[:, index].tolist()) for index in order]
        gains = [change for change in reversed(changes) if change.second > change.first]
        losses = [change for change in changes if change.second < change.first]
        return gains[:max_count], losses[:max_count]

    def document(self) -> dict[str, Any]:
        """Return the comparison as plain data for JSON."""
        gains, losses = self.class_changes(len(self.class_names))
        return {
            "images": self.images,
            **{
                name: {
                    "difference": _none_if_nan(difference.gain.value),
                    "interval_95": [_none_if_nan(bound) for bound in difference.gain[1:]],
                    "superiority": difference.superiority,
                }
                for name, difference in self.differences._asdict().items()
            },
            "gains": [change._asdict() for change in gains],
            "losses": [change._asdict() for change in losses],
        }

    def write(self, path: Path) -> None:
        """Write the comparison as JSON.

        Raises:
            InputError: If the file cannot be written.
        """
        try:
            path.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def compare(first: str | Path, second: str | Path) -> Comparison:
    """Compare two score files written by `evaluate` or `score`.

    Raises:
        InputError: If a file is not a score file, or classes, images or masks differ.
    """
    one, other = read_score_file(Path(first)), read_score_file(Path(second))
    if one.ids != other.ids:
        raise InputError(
            f"{first} and {second}: the classes differ; compare scores of the same data set"
        )
    index_of = {name: index for index, name in enumerate(other.names)}
    missing = set(one.names) ^ set(other.names)
    if missing:
        raise InputError(
            f"{first} and {second}: {len(missing)} images are in only one of the files, such as "
            f"{min(missing)}; score both on the same images"
        )
    counts = other.counts[[index_of[name] for name in one.names]]
    if (counts[:, 2] != one.counts[:, 2]).any():
        raise InputError(
            f"{first} and {second}: images of the same name have different masks; score both on "
            "the same images"
        )
    return Comparison(
        images=len(one.names),
        totals=np.stack([one.counts.sum(axis=0), counts.sum(axis=0)]),
        differences=bootstrap_differences(one.counts, counts),
        class_names=tuple(one.ids.values()),
    )


def read_score_file(path: Path) -> ScoreFile:
    """Read the counts of each image from a score file.

    Raises:
        InputError: If the file cannot be read, or has no counts per image.
    """
    try:
        document = json.loads(read_short_text(path, 2**30))
        ids = {entry["id"]: entry["name"] for entry in document["per_class"]}
        images = document["per_image"]
        index_of = {raw: index for index, raw in enumerate(ids)}
        counts = np.zeros((len(images), 3, len(ids)), np.int64)
        for image, image_counts in zip(images, counts, strict=True):
            image_counts[:, [index_of[raw] for raw in image["ids"]]] = _image_counts(image)
        names = [str(image["name"]) for image in images]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except (ValueError, KeyError, TypeError, OverflowError):
        raise InputError(
            f"{path}: no counts per image; expected a score file that `sceneparse evaluate` or "
            "`sceneparse score` wrote"
        ) from None
    if not names:
        raise InputError(f"{path}: a score file without images; expected at least one")
    return ScoreFile(path, ids, names, counts)


def _image_counts(image: dict[str, Any]) -> NDArray[np.int64]:
    return np.array([image["right"], image["predicted"], image["true"]], np.int64)


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else value
