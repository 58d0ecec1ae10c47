"""The names that people give to the splits of a data set."""

from collections.abc import Iterable, Mapping
from pathlib import Path

# The names that folders, files and lists of a split may have, in lower case.
SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "training": ("training", "train"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}


def split_named(name: str) -> str:
    """Return the split that a folder or file of this name is for; empty if it is for none."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), "")


def splits_by_folder(paths: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return the split of each file, by the folders that it lies in below a root.

    The split is empty for all files if one of them lies in no folder of a split.
    """
    found = {
        path: next(filter(None, map(split_named, path.relative_to(root).parts[:-1])), "")
        for path in paths
    }
    return found if all(found.values()) else dict.fromkeys(found, "")
