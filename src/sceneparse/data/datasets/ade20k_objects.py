"""Object categories of the full ADE20K: names, and the number of images of each."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sceneparse.data.datasets.listing import find_files_below
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

SPLITS_BELOW = Path("images") / "ADE"
# Increase the number whenever counting the same files gives other categories.
_FORMAT = "sceneparse objects 1"


class ObjectCategory(NamedTuple):
    """A category of objects.

    Attributes:
        id: Raw id in the masks.
        name: Name, with its synonyms.
        images: Number of training images in which the category occurs.
    """

    id: int
    name: str
    images: int


def count_objects(root: Path) -> list[ObjectCategory]:
    """Count the object categories in the JSON files of the training images, in order of their ids.

    The result is cached in the user's cache folder until a file changes.

    Raises:
        InputError: If there are no such files, or one of them is broken.
    """
    folder = root / SPLITS_BELOW / "training"
    fix = (
        "classes are counted in the JSON files of the training images; unpack all of "
        "ADE20K_2021_17_01.zip, or name the classes in a file: data.labels=labels.json"
    )
    files = list(find_files_below(folder, ".json", fix).values())
    key = _files_digest(files)
    path = cache_folder(root) / "objects.json"
    objects = _read(path, key)
    if objects is None:
        objects = _count_in_files(files)
        with suppress(OSError):
            document = {"format": _FORMAT, "key": key, "objects": objects}
            write_whole(path, json.dumps(document).encode())
    return objects


def _files_digest(files: Sequence[Path]) -> str:
    """Return a digest of names, sizes and modification times of the files."""
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _count_in_files(files: Sequence[Path]) -> list[ObjectCategory]:
    names: dict[int, str] = {}
    images: Counter[int] = Counter()
    for found in prefetch(_object_names, files, threads=4, ahead=64):
        names = found | names
        images.update(found.keys())
    return [ObjectCategory(id, names[id], images[id]) for id in sorted(names)]


def _object_names(path: Path) -> dict[int, str]:
    """Return the names of the objects of an image by id, without parts of objects.

    Raises:
        InputError: If the file is broken.
    """
    try:
        # The files mix several text encodings.
        document = json.loads(path.read_bytes().decode("utf-8", errors="replace"), strict=False)
        objects = document["annotation"]["object"]
        return {
            entry["name_ndx"]: str(entry["name"])
            for entry in _as_list(objects)
            if _is_named_object(entry)
        }
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise InputError(
            f"{path}: not the JSON of an image of ADE20K ({type(error).__name__}: {error}); "
            "unpack the file again, or name the classes in a file: data.labels=labels.json"
        ) from None


def _as_list(objects: Any) -> list[Any]:
    """Return the objects of an image as a list; MATLAB writes a single object without a list."""
    return objects if isinstance(objects, list) else [objects]


def _is_named_object(entry: Any) -> bool:
    """Return whether an entry is an object with an id, not a part or an unnamed object."""
    number = entry["name_ndx"]
    return isinstance(number, int) and number > 0 and int(entry["parts"]["part_level"]) == 0


def _read(path: Path, key: str) -> list[ObjectCategory] | None:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT or document["key"] != key:
            return None
        return [
            ObjectCategory(int(id), str(name), int(count))
            for id, name, count in document["objects"]
        ]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
