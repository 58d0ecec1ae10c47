"""How many pixels of a data set are of each class, counted once and kept."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.cache_folder import cache_folder, write_whole
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.index import stamps
from sceneparse.data.loader import prefetched
from sceneparse.data.packed import Packed
from sceneparse.labels import Labels, Mask


class ClassCounts(NamedTuple):
    """How often classes occur, `(C,)` each; void is not counted.

    Attributes:
        pixels: Pixels of each class.
        pictures: Pictures in which it occurs.
        together: Pixels of any class in those pictures.
    """

    pixels: NDArray[np.int64]
    pictures: NDArray[np.int64]
    together: NDArray[np.int64]


def class_counts(dataset: Dataset) -> ClassCounts:
    """Count in all masks of a data set, read by several threads.

    Raises:
        InputError: If a mask cannot be read.
    """
    labels = dataset.labels

    def count(index: int) -> NDArray[np.int64]:
        return pixels_of(dataset.mask(index), labels)

    counts = ClassCounts(*np.zeros((3, labels.num_classes), np.int64))
    threads = os.cpu_count() or 1
    for pixels in prefetched(count, range(len(dataset)), threads=threads, ahead=8 * threads):
        occurs = pixels > 0
        counts.pixels[:] += pixels
        counts.pictures[:] += occurs
        counts.together[:] += occurs * pixels.sum()
    return counts


def pixels_of(mask: Mask, labels: Labels) -> NDArray[np.int64]:
    """Count the pixels of each class `(C,)` in train ids `(H, W)`."""
    return np.bincount(mask.ravel(), minlength=labels.num_classes)[: labels.num_classes]


def kept_class_counts(dataset: Dataset, root: Path | None) -> ClassCounts:
    """Count in a data set whose files lie below `root`, or take what was counted in them before.

    The counts lie in the user's cache folder. They hold while no file has changed; what is drawn
    and has no files is counted each time.

    Raises:
        InputError: If a mask cannot be read.
    """
    files = dataset.files if isinstance(dataset, Packed) else dataset
    if root is None or not isinstance(files, PairedFiles):
        return class_counts(dataset)
    path = cache_folder(root) / f"{files.images[0].parent.name}.classes.json"
    key = _key(files, dataset.short_side if isinstance(dataset, Packed) else None)
    counts = _read(path, key, files.labels.num_classes)
    if counts is None:
        counts = class_counts(dataset)
        _write(path, key, counts)
    return counts


def _key(files: PairedFiles, short_side: int | None) -> str:
    """Return a digest of all that the counts depend on."""
    digest = hashlib.sha256(f"{files.labels.to_json()}\n{short_side}".encode())
    for index, name in enumerate(files.names):
        digest.update(os.fsencode(f"{name}\n") + repr(stamps(files, index)).encode())
    return digest.hexdigest()


def _read(path: Path, key: str, num_classes: int) -> ClassCounts | None:
    try:
        document = json.loads(path.read_bytes())
        if document["key"] != key:
            return None
        counts = np.array([document[name] for name in ClassCounts._fields], np.int64)
    except (OSError, ValueError, TypeError, LookupError, OverflowError):
        return None
    return ClassCounts(*counts) if counts.shape == (3, num_classes) else None


def _write(path: Path, key: str, counts: ClassCounts) -> None:
    facts = {name: values.tolist() for name, values in counts._asdict().items()}
    with suppress(OSError):
        write_whole(path, json.dumps({"key": key, **facts}).encode())
