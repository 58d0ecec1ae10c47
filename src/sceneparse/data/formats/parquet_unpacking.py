"""The images and masks of parquet files, unpacked into the user's cache.

Reading single rows of a parquet file takes as long as reading hundreds. So the image files in it
are written as they are, once, into a folder of the cache, and again only when a parquet file has
changed.
"""

import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from sceneparse.data.formats.parquet_table import Cell, Table, open_table
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.errors import InputError
from sceneparse.system.user_cache import cache_folder, lock_folder

# Increase the number whenever other files are written than before.
_VERSION = 1
_INDEX = "index.json"
_MAX_NAME_BYTES = 200
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"II\*\0|MM\0\*"), ".tif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), ".avif"),
    (re.compile(rb"\0\0\0\x0cjP  "), ".jp2"),
    (re.compile(rb"\xff\x4f\xff\x51"), ".j2k"),
    (re.compile(rb"BM"), ".bmp"),
    (re.compile(rb"P[1-6]\s"), ".pnm"),
)


class UnpackedRow(NamedTuple):
    """An image and its mask.

    Attributes:
        split: Its split; empty if there are no splits.
        name: Name of the image, unique in its split.
        image: The image file.
        mask: The mask file.
    """

    split: str
    name: str
    image: Path
    mask: Path


class Unpacked(NamedTuple):
    """What parquet files hold.

    Attributes:
        rows: The rows with an image and a mask.
        left_out: Number of rows without an image or without a mask.
    """

    rows: Sequence[UnpackedRow]
    left_out: int


class _Index(NamedTuple):
    """What a folder of unpacked files holds: split, name, image and mask of each row."""

    rows: list[tuple[str, str, str, str]]
    left_out: int


_ADAPTER = TypeAdapter(_Index)


def unpack_rows(root: Path, files: Mapping[Path, str]) -> Unpacked:
    """Unpack parquet files into the cache, unless they are there already.

    Args:
        root: The folder of the data set.
        files: The split of each parquet file.

    Raises:
        InputError: If a file is broken, or the cache cannot be written.
    """
    cache = cache_folder(root) / "parquet"
    target = cache / _key(root, files)
    index = _read_index(target)
    if index is None:
        tables = {path: open_table(path) for path in files}
        try:
            index = _fill(cache, target, tables, files)
        except OSError as error:
            raise InputError(
                f"{target}: the images cannot be unpacked there ({error.strerror}); free some "
                "space, or set SCENEPARSE_CACHE to a folder on another disk"
            ) from None
    rows = [
        UnpackedRow(split, name, target / image, target / mask)
        for split, name, image, mask in index.rows
    ]
    return Unpacked(rows, index.left_out)


def _key(root: Path, files: Mapping[Path, str]) -> str:
    """Return a text that changes whenever a file does."""
    stamps = [
        (path.relative_to(root).as_posix(), split, found.st_size, found.st_mtime_ns)
        for path, split in sorted(files.items())
        for found in (path.stat(),)
    ]
    return hashlib.sha256(json.dumps([_VERSION, stamps]).encode()).hexdigest()[:16]


def _read_index(folder: Path) -> _Index | None:
    try:
        return _ADAPTER.validate_json((folder / _INDEX).read_bytes())
    except (OSError, ValidationError):
        return None


def _fill(
    cache: Path, target: Path, tables: Mapping[Path, Table], files: Mapping[Path, str]
) -> _Index:
    """Write the files, which appear once all of them are there, and remove those of before."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_folder(cache, "these files", waits=True))
        except InputError as error:
            raise InputError(f"{error}, and set SCENEPARSE_CACHE to it") from None
        index = _read_index(target)
        if index is not None:
            return index
        for old in cache.glob("*/"):
            shutil.rmtree(old)
        partial = cache / f".{target.name}.{uuid4().hex[:8]}"
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        free = _check_disk_space(cache, tables.values())
        index = _write(partial, tables, files, free)
        (partial / _INDEX).write_text(json.dumps(index), encoding="utf-8")
        partial.rename(target)
        return index


def _check_disk_space(cache: Path, tables: Iterable[Table]) -> int:
    """Return the free disk space in bytes; refuse to begin if it is too little."""
    needed, free = sum(table.bytes for table in tables), shutil.disk_usage(cache).free
    if needed > free:
        raise _disk_error(cache, needed, free)
    return free


def _disk_error(cache: Path, needed: int, free: int) -> InputError:
    return InputError(
        f"{cache}: found {free / 1e6:,.0f} MB of free disk space, and the unpacked images have "
        f"{needed / 1e6:,.0f} MB or more; free some space, or set SCENEPARSE_CACHE to a folder on "
        "another disk"
    )


def _write(
    folder: Path, tables: Mapping[Path, Table], files: Mapping[Path, str], free: int
) -> _Index:
    rows: list[tuple[str, str, str, str]] = []
    left_out = written = 0
    for split in dict.fromkeys(files.values()):
        of_split = [tables[path] for path in sorted(files) if files[path] == split]
        names = _names(of_split)
        below = split or "all"
        for kind in ("images", "masks"):
            (folder / below / kind).mkdir(parents=True)
        cells = chain.from_iterable(table.cells() for table in of_split)
        for number, (name, (image, mask)) in enumerate(zip(names, cells, strict=True)):
            if not image.content or not mask.content:
                left_out += 1
                continue
            written += len(image.content) + len(mask.content)
            # A few bytes of a broken file may stand for many.
            if written > free:
                raise _disk_error(folder.parent, written, free)
            stem = _file_stem(name, number, len(names))
            image_path = f"{below}/images/{stem}{_suffix(image)}"
            mask_path = f"{below}/masks/{stem}{_suffix(mask)}"
            (folder / image_path).write_bytes(image.content)
            (folder / mask_path).write_bytes(mask.content)
            rows.append((split, name, image_path, mask_path))
    return _Index(rows, left_out)


def _names(tables: Sequence[Table]) -> list[str]:
    """Return the names of the rows: the paths of their images, or else their numbers."""
    names = [_name_of(path) for table in tables for path in table.image_paths()]
    distinct = {name.casefold() for name in names}
    if "" in distinct or len(distinct) < len(names):
        return [_padded(number, len(names)) for number in range(len(names))]
    return names


def _name_of(path: str) -> str:
    """Return a path without suffix; empty if it may not become the name of a file."""
    text = unicodedata.normalize("NFC", path)
    stem, dot, ending = text.rpartition(".")
    name = stem if dot + ending.lower() in IMAGE_SUFFIXES else text
    is_safe = not _UNSAFE.search(name) and len(os.fsencode(name)) <= _MAX_NAME_BYTES
    return name if is_safe else ""


# Of Windows too: names of other files, and empty, hidden or parent folders.
_UNSAFE = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f\ud800-\udfff]|(^|/)([./]|$)|[. ](/|$)')


def _file_stem(name: str, number: int, count: int) -> str:
    """Return the number of a row and what can be kept of its name."""
    padded = _padded(number, count)
    readable = re.sub(r"[^\w.-]+", "_", PurePosixPath(name).name)[:40]
    return padded if name == padded else f"{padded}_{readable}"


def _padded(number: int, count: int) -> str:
    return f"{number:0{len(str(count))}d}"


def _suffix(cell: Cell) -> str:
    """Return the suffix of an image file by its first bytes; by its path if they say nothing."""
    start = cell.content[:16]
    written = PurePosixPath(cell.path).suffix.lower()
    found = (suffix for pattern, suffix in _SIGNATURES if pattern.match(start))
    return next(found, written if written in IMAGE_SUFFIXES else ".bin")
