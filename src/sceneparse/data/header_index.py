"""The header index: image sizes of checked files, so that each header is read only once.

An entry is valid until the size in bytes or the modification time of the image or the mask changes.
A missing or damaged index, or one of another version, is rebuilt; if it cannot be written, every
header is read again the next time.
"""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.loader import prefetch
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

# Size in bytes and modification time in ns of an image file, then of its mask file.
FileStamps = tuple[int, ...]


def file_stamps(files: PairedFiles, index: int) -> FileStamps | None:
    """Return size in bytes and modification time in ns of the image, then of the mask.

    None if one of the two files does not exist.
    """
    try:
        image, mask = files.images[index].stat(), files.masks[index].stat()
    except OSError:
        return None
    return image.st_size, image.st_mtime_ns, mask.st_size, mask.st_mtime_ns


def check_image_sizes(files: PairedFiles, root: Path) -> NDArray[np.int64]:
    """Check the headers of the files that the index does not hold, and return all image sizes.

    Args:
        files: Images and masks below `root`.
        root: The folder of the data set; its index lies in the user's cache folder.

    Returns:
        Height and width of each sample, `(N, 2)`.

    Raises:
        InputError: If an image and its mask differ in size, or a file is not an image.
    """
    path = cache_folder(root) / f"{files.cache_name}.headers.json"
    cached = _read(path)
    sizes = np.zeros((len(files), 2), np.int64)
    # Stamps are read before the headers, so that a file that changes meanwhile is checked again.
    current_stamps = [file_stamps(files, index) for index in range(len(files))]
    names = files.names
    unchecked: list[int] = []
    for index, name in enumerate(names):
        entry = cached.get(name, ())
        if entry[:4] == current_stamps[index]:
            sizes[index] = entry[4:]
        else:
            unchecked.append(index)
    try:
        found = prefetch(files.check_headers, unchecked, threads=4, ahead=64)
        for index, size in zip(unchecked, found, strict=True):
            sizes[index] = size
            cached[names[index]] = (*(current_stamps[index] or ()), *size)
    finally:
        if unchecked:
            _write(path, cached)
    return sizes


# Increase the number whenever `check_headers` refuses files that it accepted before.
_FORMAT = "sceneparse headers 1"


def _read(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the entries by name: the four stamps, height, width."""
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            return {}
        entry = np.array(list(document["files"].values()), np.int64).reshape(-1, 6)
        return dict(zip(document["files"], map(tuple, entry.tolist()), strict=True))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        return {}


def _write(path: Path, cached: dict[str, tuple[int, ...]]) -> None:
    complete = {name: entry for name, entry in cached.items() if len(entry) == 6}
    with suppress(OSError):
        write_whole(path, json.dumps({"format": _FORMAT, "files": complete}).encode())
