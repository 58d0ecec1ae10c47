"""Images to segment: files, folders, patterns, or the bytes of one."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain
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
        unreadable: Folders below the given ones that cannot be read.
    """

    sources: list[Path | bytes]
    names: list[Path]
    left_out: list[Path]
    unreadable: list[Path]

    def add(self, files: Sequence[Path], below: Path) -> bool:
        """Add files of which some are images; return whether any is."""
        images = [file for file in files if _is_image(file)]
        self.sources.extend(images)
        self.names.extend(file.relative_to(below).with_suffix("") for file in images)
        self.left_out.extend(file for file in files if not _is_image(file))
        return bool(images)

    def each_once(self) -> "FoundImages":
        """Keep the first of equal files, however their paths are written.

        A link to an image is a file of its own, because its results have its name.
        """
        first: dict[Path | bytes, tuple[Path | bytes, Path]] = {}
        resolved: dict[Path, Path] = {}
        for source, name in zip(self.sources, self.names, strict=True):
            key = source
            if isinstance(source, Path):
                folder = source.parent
                if folder not in resolved:
                    resolved[folder] = folder.resolve()
                key = resolved[folder] / source.name
            first.setdefault(key, (source, name))
        return self._replace(
            sources=[source for source, _ in first.values()],
            names=[name for _, name in first.values()],
            left_out=list(dict.fromkeys(self.left_out)),
            unreadable=list(dict.fromkeys(self.unreadable)),
        )


def find_images(given: Sequence[Path] | bytes, out: Path | None) -> FoundImages:
    """List the given image files, and the images in folders, their subfolders and by patterns.

    An image that is given several times is listed once, under its first name.

    Args:
        given: Image files, folders, and patterns such as `images/**/*.jpg`, whose matches are
            sorted; or the bytes of an image file.
        out: Folder for the results, which is left out where it lies in another one, if there is
            one.

    Raises:
        InputError: If a path does not exist, a pattern is wrong or has no match, or a folder holds
            no images.
    """
    if isinstance(given, bytes):
        return FoundImages([given], [Path(UNNAMED)], [], [])
    found = FoundImages([], [], [], [])
    for path in given:
        if path.is_dir():
            unreadable: list[Path] = []
            if not found.add(list(_files_below(path, out, unreadable)), path):
                raise InputError(_no_images(path, unreadable))
            found.unreadable.extend(unreadable)
        elif path.is_file():
            found.sources.append(path)
            found.names.append(Path(path.stem))
        elif glob.has_magic(str(path)):
            below = _fixed_part(path)
            if not found.add(_matches(path, below, out), below):
                raise InputError(f"{path}: no image matches this pattern, {_expected()}")
        else:
            raise InputError(f"{path}: no such file or folder; give an image or a folder of images")
    return found.each_once()


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES


def _expected() -> str:
    suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
    return f"expected files with one of the suffixes {suffixes}; choose another"


def _no_images(folder: Path, unreadable: Sequence[Path]) -> str:
    """Return the message for a folder without images."""
    if unreadable:
        return (
            f"{folder}: found no images, but {unreadable[0]} cannot be read; get the permission to "
            "read it, or choose another folder"
        )
    return f"{folder}: no images in this folder, {_expected()}"


def _files_below(folder: Path, out: Path | None, unreadable: list[Path]) -> Iterator[Path]:
    """Yield the files below a folder, without hidden ones and those of the results.

    Args:
        folder: The folder.
        out: Folder for the results, if there is one.
        unreadable: Takes the folders that cannot be read.
    """

    def note(error: OSError) -> None:
        unreadable.append(Path(str(error.filename)))

    for directory, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (not out or Path(directory, name).resolve() != out)
        )
        yield from (Path(directory, name) for name in sorted(names) if not name.startswith("."))


def _fixed_part(pattern: Path) -> Path:
    """Return the folder of a pattern above its first wildcard."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def _with_whole_folders(pattern: Path) -> Path:
    """Return a pattern in which each `**` stands alone: `**/*.jpg` for `**.jpg`."""
    parts = (
        ("**", re.sub(r"\*+", "*", part)) if "**" in part and part != "**" else (part,)
        for part in pattern.parts
    )
    return Path(*chain.from_iterable(parts))


def _matches(pattern: Path, below: Path, out: Path | None) -> list[Path]:
    """Return the files that match a pattern, without those of the results.

    Raises:
        InputError: If `**` is a part of a name, which Python refuses before 3.13.
    """
    fixed = _with_whole_folders(pattern)
    if fixed != pattern:
        raise InputError(
            f"{pattern}: found `**` beside other characters of a name, expected it alone between "
            f"slashes, where it stands for any folders; write {fixed}"
        )
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
