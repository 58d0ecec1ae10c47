"""The classes and splits of a YOLO data set: `data.yaml`, or a list of the classes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sceneparse.data.formats.documents import read_text
from sceneparse.data.split_names import split_named
from sceneparse.errors import InputError
from sceneparse.system.yaml_text import parse_yaml

CLASS_LIST = "classes.txt"
_CONFIGS = ("data.yaml", "dataset.yaml")
_MAX_BYTES = 2**20
_HAS_NAMES = re.compile(rb"""^\{?\s*["']?names["']?\s*:""", re.MULTILINE)


class SplitPaths(NamedTuple):
    """What the splits are said to be.

    Attributes:
        source: The file that says it.
        base: The folder that paths are relative to, as it is written.
        paths: Folders, or lists of images, of each split, as they are written.
    """

    source: str = ""
    base: str = ""
    paths: Mapping[str, Sequence[str]] = {}


class YoloConfig(NamedTuple):
    """The classes and splits of a data set.

    Attributes:
        source: The file that names them.
        names: Name of each class by its id.
        splits: What the splits are said to be.
    """

    source: Path
    names: Mapping[int, str]
    splits: SplitPaths


def config_files(root: Path) -> list[Path]:
    """Return the YAML files that name classes; one alone if it has a usual name."""
    found = [
        path
        for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")])
        # An own folder names its classes there.
        if path.stem != "labels" and path.is_file() and _has_names(path)
    ]
    usual = [path for name in _CONFIGS for path in found if path.name == name]
    return usual[:1] or found


def read_yolo_config(root: Path) -> YoloConfig:
    """Read `data.yaml` or `classes.txt`.

    Raises:
        InputError: If there is none, or it does not name the classes.
    """
    paths = config_files(root)
    if len(paths) > 1:
        raise InputError(
            f"{root}: {paths[0].name} and {paths[1].name} both name classes; call the one of the "
            "data set data.yaml, or remove the other"
        )
    if not paths:
        path = root / CLASS_LIST
        if not path.is_file():
            raise InputError(
                f"{root}: no data.yaml with `names`, and no classes.txt; write the names of the "
                "classes into one of them, such as `names: [cat, dog]`"
            )
        lines = [line.strip() for line in read_text(path, _MAX_BYTES).splitlines()]
        return YoloConfig(path, {i: name for i, name in enumerate(lines) if name}, SplitPaths())
    path = paths[0]
    document = parse_yaml(read_text(path, _MAX_BYTES), str(path))
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected keys such as `names`; export the data set again")
    if "kpt_shape" in document:
        raise InputError(
            f"{path}: a data set of key points (`kpt_shape`), which have no area; export polygons "
            "as YOLO segmentation"
        )
    try:
        return YoloConfig(path, _names(document.get("names"), path), _splits(document, path))
    except ValueError:  # Python writes no numbers of more than 4300 digits.
        raise InputError(f"{path}: a number of thousands of digits; remove it") from None


def _has_names(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(_HAS_NAMES.search(file.read(_MAX_BYTES)))
    except OSError:
        return False


def _splits(document: Mapping[Any, Any], path: Path) -> SplitPaths:
    """Return what the splits are said to be."""
    paths = {
        split: _paths(value, path)
        for key, value in document.items()
        if isinstance(key, str) and (split := split_named(key)) and value is not None
    }
    base = document.get("path")
    return SplitPaths(str(path), base if isinstance(base, str) else "", paths)


def _names(names: Any, path: Path) -> dict[int, str]:
    """Return the names of the classes by their ids."""
    entries = names if isinstance(names, Mapping) else None
    if isinstance(names, (list, tuple)):
        entries = dict(enumerate(names))
    found: dict[int, str] = {}
    for key, name in (entries or {}).items():
        number = int(key) if isinstance(key, str) and key.isdecimal() else key
        is_valid = isinstance(name, (str, int, float)) and not isinstance(name, bool)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise InputError(f"{path}: `names` with the id {key!r:.60}; expected 0, 1, 2, ...")
        if not is_valid or not str(name).strip():
            raise InputError(
                f"{path}: class {number} is named {name!r:.60}; expected text; quote the name"
            )
        found[number] = str(name)
    if not found:
        raise InputError(
            f"{path}: `names` holds no classes; expected a list such as [cat, dog], or a mapping "
            "such as {0: cat, 1: dog}"
        )
    return found


def _paths(value: Any, path: Path) -> list[str]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(each, str) for each in values):
        raise InputError(
            f"{path}: {value!r:.60} as the images of a split; expected a folder such as "
            "images/train, or a list of folders"
        )
    return list(values)
