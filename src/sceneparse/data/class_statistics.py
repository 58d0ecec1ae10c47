"""Class statistics: the number of pixels of each class in each sample, cached between runs.

The user's cache folder keeps the counts of a mask file until its size in bytes or its modification
time changes. The counts come from the mask files at their own size, even if a cache of decoded
images exists, so that they do not depend on that cache.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.loader import prefetch
from sceneparse.labels import Labels, Mask
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

# Number of pixels of each class in each sample, (N, C).
ClassStatistics = NDArray[np.int64]
# Size in bytes and modification time in ns of a mask file, then pairs of a class and its count.
CachedCounts = tuple[int, ...]


def count_class_pixels(dataset: Dataset, root: Path | None = None) -> ClassStatistics:
    """Count the pixels of each class in each sample, without unlabelled pixels.

    Args:
        dataset: The samples.
        root: The folder of the data set, which selects the cached counts; none to cache nothing.

    Returns:
        Number of pixels at the masks' own sizes, `(N, C)`.

    Raises:
        InputError: If a mask is broken, or holds unknown ids.
    """
    files = dataset.files if isinstance(dataset, CachedDataset) else dataset
    if isinstance(files, PairedFiles):
        return _count_files(files, root)
    masks = prefetch(lambda index: files[index].mask, range(len(files)), threads=4, ahead=8)
    return np.array([count_mask_pixels(mask, files.labels) for mask in masks], np.int64)


def count_mask_pixels(mask: Mask, labels: Labels) -> NDArray[np.int64]:
    """Count the pixels of each class in a mask of train ids: `(C,)`."""
    return np.bincount(mask.ravel(), minlength=labels.num_classes)[: labels.num_classes]


def _count_files(files: PairedFiles, root: Path | None) -> NDArray[np.int64]:
    path = cache_folder(root) / f"{files.cache_name}.class_statistics.json" if root else None
    cached = _read(path, files) if path else {}
    names = files.names
    # Stamps are read before the masks, so that a file that changes meanwhile is counted again.
    current_stamps = [_mask_stamps(each.path) for each in files.annotations]
    uncounted = [
        index
        for index, name in enumerate(names)
        if not current_stamps[index] or cached.get(name, ())[:2] != current_stamps[index]
    ]

    def count(index: int) -> CachedCounts:
        pixels = count_mask_pixels(files.mask(index), files.labels)
        present = np.flatnonzero(pixels)
        return tuple(np.column_stack([present, pixels[present]]).ravel().tolist())

    try:
        # Each thread holds a mask or two in memory, and more than 8 threads gain no speed.
        found = prefetch(count, uncounted, threads=min(8, os.cpu_count() or 1), ahead=64)
        for index, pairs in zip(uncounted, found, strict=True):
            cached[names[index]] = (*current_stamps[index], *pairs)
    finally:
        if uncounted and path:
            _write(path, files, cached)
    return _table((cached[name] for name in names), (len(files), files.labels.num_classes))


def _table(entry: Iterable[CachedCounts], shape: tuple[int, int]) -> NDArray[np.int64]:
    table = np.zeros(shape, np.int64)
    for row, (_, _, *pairs) in zip(table, entry, strict=True):
        row[pairs[::2]] = pairs[1::2]
    return table


def _mask_stamps(mask: Path) -> tuple[int, ...]:
    """Return size in bytes and modification time in ns; empty if the file does not exist."""
    try:
        found = mask.stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


# Increase the number whenever reading a mask gives different train ids than before.
_FORMAT = "sceneparse class statistics 1"


def _read(path: Path, files: PairedFiles) -> dict[str, CachedCounts]:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT or document["labels"] != files.mask_digest:
            return {}
        return {
            str(name): tuple(entry)
            for name, entry in document["files"].items()
            if _is_valid_entry(entry, files.labels.num_classes)
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


def _is_valid_entry(entry: object, num_classes: int) -> bool:
    """Return whether an entry is one that `_write` could have written."""
    if not isinstance(entry, list) or len(entry) < 2 or len(entry) % 2:
        return False
    if not all(type(number) is int and 0 <= number < 2**62 for number in entry):
        return False
    return all(class_id < num_classes for class_id in entry[2::2])


def _write(path: Path, files: PairedFiles, cached: dict[str, CachedCounts]) -> None:
    document = {"format": _FORMAT, "labels": files.mask_digest, "files": cached}
    with suppress(OSError):
        write_whole(path, json.dumps(document, separators=(",", ":")).encode())
