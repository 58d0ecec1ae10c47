"""Names of the objects of the full ADE20K, and in how many images each occurs."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sceneparse.data.datasets.listing import files_below
from sceneparse.data.loader import prefetched
from sceneparse.errors import InputError
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import cache_folder

SPLITS_BELOW = Path("images") / "ADE"
# Another number whenever other objects are counted in the same files.
_FORMAT = "sceneparse objects 1"


class Object(NamedTuple):
    """A category of objects.

    Attributes:
        id: In the masks.
        name: With its synonyms.
        images: Number of training images in which it occurs.
    """

    id: int
    name: str
    images: int


def objects_of(root: Path) -> list[Object]:
    """Count the objects in the JSON files of the training images, in the order of their ids.

    What was found is remembered in the user's cache folder until a file changes.

    Raises:
        InputError: If there are no such files, or one of them is broken.
    """
    folder = root / SPLITS_BELOW / "training"
    fix = (
        "classes are counted in the JSON files of the training images; unpack all of "
        "ADE20K_2021_17_01.zip, or name the classes in a file: data.labels=labels.json"
    )
    files = list(files_below(folder, ".json", fix).values())
    key = _key(files)
    path = cache_folder(root) / "objects.json"
    objects = _read(path, key)
    if objects is None:
        objects = _counted(files)
        with suppress(OSError):
            document = {"format": _FORMAT, "key": key, "objects": objects}
            write_whole(path, json.dumps(document).encode())
    return objects


def _key(files: Sequence[Path]) -> str:
    """Return what changes when a file is added, removed or changed."""
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _counted(files: Sequence[Path]) -> list[Object]:
    names: dict[int, str] = {}
    images: Counter[int] = Counter()
    for found in prefetched(_names_in, files, threads=4, ahead=64):
        names = found | names
        images.update(found.keys())
    return [Object(id, names[id], images[id]) for id in sorted(names)]


def _names_in(path: Path) -> dict[int, str]:
    """Return the names of the objects of an image by id; parts of objects are not in its mask.

    Raises:
        InputError: If the file is broken.
    """
    try:
        # Some names of files in it are in no encoding that would hold for all.
        document = json.loads(path.read_bytes().decode("utf-8", errors="replace"), strict=False)
        objects = document["annotation"]["object"]
        return {
            entry["name_ndx"]: str(entry["name"]) for entry in _listed(objects) if _is_whole(entry)
        }
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(
            f"{path}: not the JSON of an image of ADE20K ({type(error).__name__}: {error}); get "
            "the file anew, or name the classes in a file: data.labels=labels.json"
        ) from None


def _listed(objects: Any) -> list[Any]:
    """Return the objects of an image; MATLAB writes a list of one as the thing itself."""
    return objects if isinstance(objects, list) else [objects]


def _is_whole(entry: Any) -> bool:
    """Tell objects with an id from parts, and from what could not be named."""
    number = entry["name_ndx"]
    return isinstance(number, int) and number > 0 and int(entry["parts"]["part_level"]) == 0


def _read(path: Path, key: str) -> list[Object] | None:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT or document["key"] != key:
            return None
        return [Object(int(id), str(name), int(count)) for id, name, count in document["objects"]]
    except (OSError, ValueError, TypeError, LookupError):
        return None
