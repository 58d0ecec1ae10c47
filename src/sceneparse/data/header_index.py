"""Which files were found good before, so that each is opened only once.

What is kept about an image and its mask holds while their sizes in bytes and their times of
change stay as they are. It is a short cut and nothing else: an index that is missing, damaged or of
another version is made anew, and where none can be written every file is looked at the next time.
"""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.loader import prefetched
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

# Bytes and time of change in ns of an image, then of its mask.
Stamps = tuple[int, ...]


def stamps(files: PairedFiles, index: int) -> Stamps | None:
    """Return what changes when a sample's files change: `(bytes, ns, bytes, ns)`.

    None if one of the two is not there.
    """
    try:
        image, mask = files.images[index].stat(), files.masks[index].stat()
    except OSError:
        return None
    return image.st_size, image.st_mtime_ns, mask.st_size, mask.st_mtime_ns


def checked_sizes(files: PairedFiles, root: Path) -> NDArray[np.int64]:
    """Look at the headers of the files that were not found good before.

    Args:
        files: Images and masks below `root`.
        root: The folder of the data set; its index lies in the user's cache folder.

    Returns:
        Height and width of each sample, `(N, 2)`.

    Raises:
        InputError: If an image and its mask differ in size, or one of them is none.
    """
    path = cache_folder(root) / f"{files.part}.headers.json"
    known = _read(path)
    sizes = np.zeros((len(files), 2), np.int64)
    # Taken before the look: a file that changes meanwhile is looked at again the next time.
    now = [stamps(files, index) for index in range(len(files))]
    names = files.names
    new: list[int] = []
    for index, name in enumerate(names):
        facts = known.get(name, ())
        if facts[:4] == now[index]:
            sizes[index] = facts[4:]
        else:
            new.append(index)
    try:
        found = prefetched(files.check_headers, new, threads=4, ahead=64)
        for index, size in zip(new, found, strict=True):
            sizes[index] = size
            known[names[index]] = (*(now[index] or ()), *size)
    finally:
        if new:
            _write(path, known)
    return sizes


# Another number whenever `check_headers` refuses what it did not refuse before.
_FORMAT = "sceneparse headers 1"


def _read(path: Path) -> dict[str, tuple[int, ...]]:
    """Read by name: the four stamps, height, width."""
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            return {}
        facts = np.array(list(document["files"].values()), np.int64).reshape(-1, 6)
        return dict(zip(document["files"], map(tuple, facts.tolist()), strict=True))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        return {}


def _write(path: Path, known: dict[str, tuple[int, ...]]) -> None:
    whole = {name: facts for name, facts in known.items() if len(facts) == 6}
    with suppress(OSError):
        write_whole(path, json.dumps({"format": _FORMAT, "files": whole}).encode())
