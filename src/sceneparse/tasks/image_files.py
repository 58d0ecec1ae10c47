"""Images to segment: files, folders, patterns, or the bytes of one."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.errors import InputError

# Name of the results of an image that has none itself.
UNNAMED = "image"


class FoundImages(NamedTuple):
    """Images to segment.

    Attributes:
        sources: Their files, or the bytes of one.
        names: For each, where its results go: its path below the given folder, or below the part
            of a pattern that has no wildcards, without suffix.
        left_out: Other files in the given folders.
    """

    sources: list[Path | bytes]
    names: list[Path]
    left_out: list[Path]

    def add(self, files: Sequence[Path], below: Path) -> bool:
        """Add files of which some are images; return whether any is."""
        images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
        self.sources.extend(images)
        self.names.extend(file.relative_to(below).with_suffix("") for file in images)
        self.left_out.extend(file for file in files if file not in set(images))
        return bool(images)


def find_images(given: Sequence[Path] | bytes, out: Path | None) -> FoundImages:
    """List the given image files, and the images in folders, their subfolders and by patterns.

    Args:
        given: Image files, folders, and patterns such as `images/**/*.jpg`, whose matches are
            sorted; or the bytes of an image file.
        out: Folder for the results, which is left out where it lies in another one, if there is
            one.

    Raises:
        InputError: If a path does not exist, a pattern has no match, or a folder holds no images.
    """
    if isinstance(given, bytes):
        return FoundImages([given], [Path(UNNAMED)], [])
    found = FoundImages([], [], [])
    for path in given:
        if path.is_dir():
            if not found.add(list(_files_below(path, out)), path):
                raise InputError(f"{path}: no images in this folder, {_expected()}")
        elif path.is_file():
            found.sources.append(path)
            found.names.append(Path(path.stem))
        elif glob.has_magic(str(path)):
            below = _fixed_part(path)
            if not found.add(_matches(path, below, out), below):
                raise InputError(f"{path}: no image matches this pattern, {_expected()}")
        else:
            raise InputError(f"{path}: no such file or folder; give an image or a folder of images")
    return found


def _expected() -> str:
    suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
    return f"expected files with one of the suffixes {suffixes}; choose another"


def _files_below(folder: Path, out: Path | None) -> Iterator[Path]:
    """Yield the files below a folder, without hidden ones and those of the results."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (not out or Path(directory, name).resolve() != out)
        )
        yield from (Path(directory, name) for name in sorted(names) if not name.startswith("."))


def _fixed_part(pattern: Path) -> Path:
    """Return the folder of a pattern above its first wildcard."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def _matches(pattern: Path, below: Path, out: Path | None) -> list[Path]:
    """Return the files that match a pattern, without those of the results."""
    if pattern.name == "**":  # before Python 3.13, this matches folders only
        pattern = pattern / "*"
    is_inside = out is not None and below.resolve() in out.parents
    return [
        path
        for path in sorted(below.glob(str(pattern.relative_to(below))))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(below).parts)
        and not (is_inside and out in path.resolve().parents)
    ]
