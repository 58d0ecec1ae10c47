"""How many pixels of each class every sample holds, counted once.

What was counted in the mask of a file holds while its size in bytes and its time of change stay as
they are, and is kept in the user's cache folder as the headers are (`index.py`): a short cut and
nothing else. Masks are counted in their files, at their own size, whether or not decoded images
are at hand, so that the counts do not depend on that.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.cache.reader import Packed
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.loader import prefetched
from sceneparse.labels import Labels, Mask
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

# Pixels of each class in each sample, (N, C).
ClassStatistics = NDArray[np.int64]
# Bytes and time of change in ns of a mask, then a class and its pixels, the next class, ...
Facts = tuple[int, ...]


def class_pixels(dataset: Dataset, root: Path | None = None) -> ClassStatistics:
    """Count the pixels of each class in each sample; void is no class.

    Args:
        dataset: The samples.
        root: The folder of their files, by which counts are kept from one time to the next; none
            to keep none.

    Returns:
        Pixels at the masks' own sizes, `(N, C)`.

    Raises:
        InputError: If a mask is broken, or holds unknown ids.
    """
    files = dataset.files if isinstance(dataset, Packed) else dataset
    if isinstance(files, PairedFiles):
        return _of_files(files, root)
    masks = prefetched(lambda index: files[index].mask, range(len(files)), threads=4, ahead=8)
    return np.array([counted(mask, files.labels) for mask in masks], np.int64)


def counted(mask: Mask, labels: Labels) -> NDArray[np.int64]:
    """Count the pixels of each class in a mask of train ids: `(C,)`."""
    return np.bincount(mask.ravel(), minlength=labels.num_classes)[: labels.num_classes]


def _of_files(files: PairedFiles, root: Path | None) -> NDArray[np.int64]:
    path = cache_folder(root) / f"{files.part}.class_statistics.json" if root else None
    known = _read(path, files) if path else {}
    names = files.names
    # Taken before the look: a file that changes meanwhile is looked at again the next time.
    now = [_stamps(mask) for mask in files.masks]
    new = [
        index
        for index, name in enumerate(names)
        if not now[index] or known.get(name, ())[:2] != now[index]
    ]

    def count(index: int) -> Facts:
        pixels = counted(files.mask(index), files.labels)
        present = np.flatnonzero(pixels)
        return tuple(np.column_stack([present, pixels[present]]).ravel().tolist())

    try:
        # Each thread holds a mask or two: more of them would only take more memory.
        found = prefetched(count, new, threads=min(8, os.cpu_count() or 1), ahead=64)
        for index, pairs in zip(new, found, strict=True):
            known[names[index]] = (*now[index], *pairs)
    finally:
        if new and path:
            _write(path, files, known)
    return _table((known[name] for name in names), (len(files), files.labels.num_classes))


def _table(facts: Iterable[Facts], shape: tuple[int, int]) -> NDArray[np.int64]:
    table = np.zeros(shape, np.int64)
    for row, (_, _, *pairs) in zip(table, facts, strict=True):
        row[pairs[::2]] = pairs[1::2]
    return table


def _stamps(mask: Path) -> tuple[int, ...]:
    """Return bytes and time of change in ns; nothing if the file is not there."""
    try:
        found = mask.stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


# Another number whenever masks are read otherwise than before.
_FORMAT = "sceneparse class statistics 1"


def _read(path: Path, files: PairedFiles) -> dict[str, Facts]:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT or document["labels"] != files.reading:
            return {}
        return {
            str(name): tuple(facts)
            for name, facts in document["files"].items()
            if _is_sound(facts, files.labels.num_classes)
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}


def _is_sound(facts: object, num_classes: int) -> bool:
    """Tell whether an entry is one that could have been written."""
    if not isinstance(facts, list) or len(facts) < 2 or len(facts) % 2:
        return False
    if not all(type(number) is int and 0 <= number < 2**62 for number in facts):
        return False
    return all(class_id < num_classes for class_id in facts[2::2])


def _write(path: Path, files: PairedFiles, known: dict[str, Facts]) -> None:
    document = {"format": _FORMAT, "labels": files.reading, "files": known}
    with suppress(OSError):
        write_whole(path, json.dumps(document, separators=(",", ":")).encode())
