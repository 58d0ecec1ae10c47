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
from sceneparse.data.io.decode import ImageHeader
from sceneparse.data.loader import prefetch
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

# Size in bytes and modification time in ns of an image file, then of its annotation file.
FileStamps = tuple[int, ...]


def file_stamps(files: PairedFiles, index: int) -> FileStamps | None:
    """Return size in bytes and modification time in ns of the image, then of the annotation.

    None if one of the two files does not exist.
    """
    try:
        image, mask = files.images[index].stat(), files.annotations[index].path.stat()
    except OSError:
        return None
    return image.st_size, image.st_mtime_ns, mask.st_size, mask.st_mtime_ns


def check_image_sizes(files: PairedFiles, root: Path) -> NDArray[np.int64]:
    """Check the headers of the files that the index does not hold, and return all image sizes.

    Returns:
        Height and width of each sample as it is read, `(N, 2)`.

    Raises:
        InputError: If an image and its mask differ in size, or a file is not an image.
    """
    headers = check_headers(files, root)
    return np.array([header.size(files.reading) for header in headers], np.int64).reshape(-1, 2)


def check_headers(files: PairedFiles, root: Path) -> list[ImageHeader]:
    """Check the headers of the files that the index does not hold, and return those of all images.

    Args:
        files: Images and masks below `root`.
        root: The folder of the data set; its index lies in the user's cache folder.

    Raises:
        InputError: If an image and its mask differ in size, or a file is not an image.
    """
    path = cache_folder(root) / f"{files.cache_name}.headers.json"
    cached = _read(path, files)
    headers: dict[int, ImageHeader] = {}
    # Stamps are read before the headers, so that a file that changes meanwhile is checked again.
    current_stamps = [file_stamps(files, index) for index in range(len(files))]
    unchecked: list[int] = []
    for index, name in enumerate(files.names):
        entry = cached.get(name, ())
        if entry[:4] == current_stamps[index]:
            headers[index] = ImageHeader(*entry[4:])
        else:
            unchecked.append(index)
    try:
        found = prefetch(files.check_headers, unchecked, threads=4, ahead=64)
        for index, header in zip(unchecked, found, strict=True):
            headers[index] = header
            cached[files.names[index]] = (*(current_stamps[index] or ()), *header)
    finally:
        if unchecked:
            _write(path, files, cached)
    return [headers[index] for index in range(len(files))]


# Increase the number whenever `check_headers` refuses files that it accepted before.
_FORMAT = "sceneparse headers 2"
_ENTRY = 4 + len(ImageHeader._fields)


def _format(files: PairedFiles) -> str:
    return f"{_FORMAT} {files.reading} {files.annotation_kind}"


def _read(path: Path, files: PairedFiles) -> dict[str, tuple[int, ...]]:
    """Read the entries by name: the four stamps, then the header of the image."""
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _format(files):
            return {}
        entry = np.array(list(document["files"].values()), np.int64).reshape(-1, _ENTRY)
        return dict(zip(document["files"], map(tuple, entry.tolist()), strict=True))
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ):
        return {}


def _write(path: Path, files: PairedFiles, cached: dict[str, tuple[int, ...]]) -> None:
    complete = {name: entry for name, entry in cached.items() if len(entry) == _ENTRY}
    with suppress(OSError):
        write_whole(path, json.dumps({"format": _format(files), "files": complete}).encode())
