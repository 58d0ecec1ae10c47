"""The files of a folder, as a data set sees them."""

import os
import unicodedata
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sceneparse.data.io.masks import MASK_SUFFIXES
from sceneparse.errors import InputError

# Names that operating systems write beside any files.
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


class FilesByName(NamedTuple):
    """The image files or the mask files of a split, by name.

    Attributes:
        folder: Folder of the files, for messages.
        files: Path by name; an image and its mask have the same name.
        left_out: Files in the folder that have another ending.
    """

    folder: Path
    files: Mapping[str, Path]
    left_out: tuple[Path, ...] = ()


def files_below(folder: Path, suffixes: frozenset[str]) -> FilesByName:
    """List the files of a folder and of all folders below it, by path without suffix.

    Hidden files and folders are left out.

    Args:
        folder: The folder.
        suffixes: Accepted suffixes, in lower case.

    Raises:
        InputError: If the folder does not exist, has no such file, or a name occurs twice.
    """
    files: dict[str, Path] = {}
    left_out: list[Path] = []
    for directory, prefix, name in visible_files(folder):
        # Splitting names as text is several times as fast as with paths.
        stem, dot, ending = name.rpartition(".")
        if dot + ending.lower() not in suffixes:
            left_out.append(Path(directory, name))
            continue
        _add(files, unicodedata.normalize("NFC", prefix + stem), Path(directory, name))
    if not files:
        endings = ", ".join(sorted(suffixes))
        raise InputError(f"{folder}: no files that end in {endings}{subfolder_hint(folder)}")
    return FilesByName(folder, files, tuple(left_out))


def visible_files(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the files of a folder and of all folders below it, in the order of their names.

    Hidden files and folders, and files of the operating system, are left out.

    Yields:
        The folder of a file; that folder relative to the topmost one, with `/` at its end, or
        empty; and the name of the file.

    Raises:
        InputError: If the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{subfolder_hint(folder.parent)}")
    visited: set[str] = set()
    for directory, folders, names in os.walk(folder, followlinks=True):
        # A link to a folder above would be followed for ever.
        if os.path.realpath(directory) in visited:
            folders.clear()
            continue
        visited.add(os.path.realpath(directory))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(directory).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in sorted(names):
            if not name.startswith(".") and name.lower() not in _SYSTEM_FILES:
                yield directory, prefix, name


def holds_masks(folder: Path, besides: Callable[[str], bool]) -> bool:
    """Return whether a mask file lies in a folder or below.

    Args:
        folder: The folder.
        besides: Tells by its name whether a file is not meant.
    """
    return folder.is_dir() and any(
        name[name.rfind(".") :].lower() in MASK_SUFFIXES and not besides(name)
        for _, _, name in visible_files(folder)
    )


def files_by_stem(
    folder: Path, suffixes: frozenset[str], only: Container[str] | None = None
) -> dict[str, Path]:
    """List the files of one folder, by name without suffix; hidden files are left out.

    Args:
        folder: The folder.
        suffixes: Accepted suffixes, in lower case.
        only: Accepted names; none for all.

    Raises:
        InputError: If the folder does not exist, has no such file, or a name occurs twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{subfolder_hint(folder.parent)}")
    files: dict[str, Path] = {}
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        stem, dot, ending = name.rpartition(".")
        is_wanted = only is None or stem in only
        if dot + ending.lower() in suffixes and not name.startswith(".") and is_wanted:
            _add(files, stem, folder / name)
    if not files and only is None:
        endings = ", ".join(sorted(suffixes))
        raise InputError(f"{folder}: no files that end in {endings}{subfolder_hint(folder)}")
    return files


def subfolder_hint(folder: Path) -> str:
    """Return the part of a message that lists the subfolders of a folder."""
    names = sorted(path.name for path in folder.glob("*/"))
    return f"; the folders in {folder}: {', '.join(names[:5])}" if names else ""


def _add(files: dict[str, Path], name: str, path: Path) -> None:
    if name in files:
        raise InputError(
            f"{path}: {files[name].name} has the same name with another suffix; "
            "remove or rename one of them"
        )
    files[name] = path
