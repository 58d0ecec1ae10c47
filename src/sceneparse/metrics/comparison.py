"""Two score files of the same images, held against each other."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.metrics.bootstrap import Differences, ImageCounts, differences


class ScoredImages(NamedTuple):
    """What a score file says of each image.

    Attributes:
        path: The file.
        ids: Of the classes, in annotations, with their names.
        names: Of the images.
        counts: int64 `(N, 3, C)`.
    """

    path: Path
    ids: dict[int, str]
    names: list[str]
    counts: ImageCounts


class Mover(NamedTuple):
    """A class whose IoU changes.

    Attributes:
        name: Of the class.
        first: IoU in the first file, NaN where there is none.
        second: IoU in the second one.
    """

    name: str
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """How the second of two score files differs from the first.

    Attributes:
        images: Number of images.
        totals: Summed counts of each file, `(2, 3, C)`.
        differences: In the scores, paired over images.
        class_names: Names of the classes.
    """

    images: int
    totals: ImageCounts
    differences: Differences
    class_names: tuple[str, ...]

    def movers(self, most: int = 5) -> tuple[list[Mover], list[Mover]]:
        """List the classes that gain most and those that lose most, the largest changes first."""
        right, predicted, true = np.moveaxis(self.totals, 1, 0)
        union = true + predicted - right
        iou = np.divide(right, union, out=np.full(right.shape, np.nan), where=union > 0)
        change = iou[1] - iou[0]
        order = [int(place) for place in np.argsort(change) if not np.isnan(change[place])]
        moved = [Mover(self.class_names[place], *iou[:, place].tolist()) for place in order]
        gains = [mover for mover in reversed(moved) if mover.second > mover.first]
        losses = [mover for mover in moved if mover.second < mover.first]
        return gains[:most], losses[:most]

    def document(self) -> dict[str, Any]:
        """Return everything as plain data for JSON."""
        gains, losses = self.movers(len(self.class_names))
        return {
            "images": self.images,
            **{
                name: {
                    "difference": _known(difference.gain.value),
                    "interval_95": [_known(bound) for bound in difference.gain[1:]],
                    "superiority": difference.superiority,
                }
                for name, difference in self.differences._asdict().items()
            },
            "gains": [mover._asdict() for mover in gains],
            "losses": [mover._asdict() for mover in losses],
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
    """Compare two score files, written by `evaluate` or `score`.

    Raises:
        InputError: If a file is none, or they are of other classes or images.
    """
    one, other = read_scored(Path(first)), read_scored(Path(second))
    if one.ids != other.ids:
        raise InputError(
            f"{first} and {second}: are scores of other classes; compare scores of one data set"
        )
    places = {name: place for place, name in enumerate(other.names)}
    missing = set(one.names) ^ set(other.names)
    if missing:
        raise InputError(
            f"{first} and {second}: {len(missing)} images are in one of them alone, such as "
            f"{min(missing)}; score both on the same images"
        )
    counts = other.counts[[places[name] for name in one.names]]
    if (counts[:, 2] != one.counts[:, 2]).any():
        raise InputError(
            f"{first} and {second}: images of one name have other annotations; score both on "
            "the same images"
        )
    return Comparison(
        images=len(one.names),
        totals=np.stack([one.counts.sum(axis=0), counts.sum(axis=0)]),
        differences=differences(one.counts, counts),
        class_names=tuple(one.ids.values()),
    )


def read_scored(path: Path) -> ScoredImages:
    """Read what a score file says of each image.

    Raises:
        InputError: If it cannot be read, or says nothing of single images.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        ids = {entry["id"]: entry["name"] for entry in document["per_class"]}
        images = document["per_image"]
        places = {raw: place for place, raw in enumerate(ids)}
        counts = np.zeros((len(images), 3, len(ids)), np.int64)
        for image, own in zip(images, counts, strict=True):
            own[:, [places[raw] for raw in image["ids"]]] = _rows(image)
        names = [str(image["name"]) for image in images]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except (ValueError, KeyError, TypeError, OverflowError):
        raise InputError(
            f"{path}: no scores of single images; expected a score file, as `sceneparse evaluate` "
            "and `sceneparse score` write them"
        ) from None
    if not names:
        raise InputError(f"{path}: scores of no image")
    return ScoredImages(path, ids, names, counts)


def _rows(image: dict[str, Any]) -> NDArray[np.int64]:
    return np.array([image["right"], image["predicted"], image["true"]], np.int64)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
