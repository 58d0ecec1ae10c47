"""The file format of the cache of decoded images.

A cache is a folder with two files per split. `NAME.pixels` holds the mask and the image of each
sample, one sample after another, as arrays in memory. The first line of `NAME.jsonl`, the index,
holds the recipe; each further line holds the location of a sample and the stamps of its source
files. Samples are only ever appended to a pixel file, so that a run can read from it while another
process updates the cache.
"""

import hashlib
import json
import shlex
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.header_index import FileStamps
from sceneparse.data.io.decode import DEFAULT_READING, read_image
from sceneparse.system.user_cache import cache_folder

PIXELS = ".pixels"
INDEX = ".jsonl"

# All that determines the pixels of a file: equal recipes give equal pixels.
Recipe = dict[str, str | int | None]


class Entry(NamedTuple):
    """The index entry of a sample.

    Attributes:
        name: Name of the sample.
        offset: Byte offset of its mask in the pixel file; the image follows the mask.
        height: Height of mask and image in pixels.
        width: Width of mask and image in pixels.
        crc: CRC-32 of mask and image.
        source_stamps: Stamps of the source files.
    """

    name: str
    offset: int
    height: int
    width: int
    crc: int
    source_stamps: FileStamps


class CacheIndex(NamedTuple):
    """The content of an index file.

    Attributes:
        root: Folder of the data set that the cache was built from.
        recipe: Recipe of the pixels.
        entries: Entry of each sample, by name.
    """

    root: str
    recipe: Recipe
    entries: dict[str, Entry]


def default_cache_folder(root: Path, short_side: int | None = None) -> Path:
    """Return the default cache folder of a data root."""
    return cache_folder(root) / (f"packed-{short_side}" if short_side else "packed")


def renewal_command(root: Path, folder: Path, short_side: int | None) -> str:
    """Return the command that updates a cache."""
    words = ["sceneparse", "data", "cache", str(root)]
    if folder != default_cache_folder(root, short_side):
        words += ["--to", str(folder)]
    if short_side:
        words += ["--short-side", str(short_side)]
    return shlex.join(words)


def pixel_recipe(files: PairedFiles, short_side: int | None) -> Recipe:
    """Return the recipe of the pixels of a data set."""
    parts: Recipe = {
        "format": "sceneparse packed 1",
        "labels": files.mask_digest,
        "decoder": _decoder(),
        "short_side": short_side,
    }
    if files.reading != DEFAULT_READING:
        parts["reading"] = str(files.reading)
    return parts


def read_index(path: Path) -> CacheIndex | None:
    """Read an index file; none if it does not exist or is not an index.

    Incomplete lines, which a killed process may leave, are skipped.
    """
    try:
        first, *lines = path.read_bytes().splitlines()
        header = json.loads(first)
        root, header_recipe = header["root"], dict(header["recipe"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    entries = [entry for line in lines if (entry := _entry(line))]
    return CacheIndex(root, header_recipe, {entry.name: entry for entry in entries})


def sample_bytes(height: int, width: int, files: PairedFiles) -> int:
    """Return the size of a mask and its image in bytes."""
    return height * width * (files.reading.channels + np.dtype(files.labels.dtype).itemsize)


def end_offset(entry: Entry, files: PairedFiles) -> int:
    """Return the byte offset of the end of a sample in the pixel file."""
    return entry.offset + sample_bytes(entry.height, entry.width, files)


def _entry(line: bytes) -> Entry | None:
    try:
        name, offset, height, width, crc, source_stamps = json.loads(line)
        entry = Entry(
            str(name), int(offset), int(height), int(width), int(crc), tuple(source_stamps)
        )
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        return None
    return entry if entry.offset >= 0 and entry.height > 0 and entry.width > 0 else None


@cache
def _decoder() -> str:
    """Return a digest of a JPEG as decoded here, which identifies the decoder.

    Decoders may differ in the last bit of a pixel; that difference must not change a run silently.
    """
    with resources.as_file(resources.files("sceneparse") / "assets" / "decoder.jpg") as path:
        return hashlib.sha256(read_image(path).tobytes()).hexdigest()
