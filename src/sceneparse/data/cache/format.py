"""The files of a cache of decoded images.

A cache is a folder with two files per split. `NAME.pixels` holds mask and image of one sample
after another, as they are in memory; `NAME.jsonl` says in its first line how they were made, and
then, in one line per sample, where they lie and which files they were made of. A file of pixels
only ever grows, so that a run may read from it what another process is renewing.
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
from sceneparse.data.header_index import Stamps
from sceneparse.data.io.decode import read_image
from sceneparse.labels import Labels
from sceneparse.system.user_cache import cache_folder

PIXELS = ".pixels"
INDEX = ".jsonl"

# How pixels come from files: those of one recipe are the same.
Recipe = dict[str, str | int | None]


class Entry(NamedTuple):
    """One sample of a cache.

    Attributes:
        name: Of the sample.
        offset: Where its mask begins in the file of pixels; the image comes behind it.
        height: Of both, in pixels.
        width: Of both, in pixels.
        crc: CRC-32 of mask and image.
        stamps: Of the files that they were made of.
    """

    name: str
    offset: int
    height: int
    width: int
    crc: int
    stamps: Stamps


class PackIndex(NamedTuple):
    """What one index file says.

    Attributes:
        root: The data set that it was made for.
        recipe: How the pixels were made.
        entries: The samples by name.
    """

    root: str
    recipe: Recipe
    entries: dict[str, Entry]


def default_folder(root: Path, short_side: int | None = None) -> Path:
    """Return the folder of the cache of a data root where no other is named."""
    return cache_folder(root) / (f"packed-{short_side}" if short_side else "packed")


def renewing_command(root: Path, folder: Path, short_side: int | None) -> str:
    """Return what to type that a cache holds the files as they are now."""
    words = ["sceneparse", "data", "cache", str(root)]
    if folder != default_folder(root, short_side):
        words += ["--to", str(folder)]
    if short_side:
        words += ["--short-side", str(short_side)]
    return shlex.join(words)


def recipe(files: PairedFiles, short_side: int | None) -> Recipe:
    """Describe how pixels come from files."""
    return {
        "format": "sceneparse packed 1",
        "labels": files.reading,
        "decoder": _decoder(),
        "short_side": short_side,
    }


def read_index(path: Path) -> PackIndex | None:
    """Read an index; none if there is none, or it is not ours.

    Lines that are not whole, as a process leaves them that was killed, are passed over.
    """
    try:
        first, *lines = path.read_bytes().splitlines()
        header = json.loads(first)
        root, made = header["root"], dict(header["recipe"])
    except (OSError, ValueError, TypeError, LookupError):
        return None
    entries = [entry for line in lines if (entry := _entry(line))]
    return PackIndex(root, made, {entry.name: entry for entry in entries})


def sample_bytes(height: int, width: int, labels: Labels) -> int:
    """Return how much mask and image take."""
    return height * width * (3 + np.dtype(labels.dtype).itemsize)


def end_of(entry: Entry, labels: Labels) -> int:
    """Return where a sample ends in the file of pixels."""
    return entry.offset + sample_bytes(entry.height, entry.width, labels)


def _entry(line: bytes) -> Entry | None:
    try:
        name, offset, height, width, crc, made_of = json.loads(line)
        entry = Entry(str(name), int(offset), int(height), int(width), int(crc), tuple(made_of))
    except (ValueError, TypeError, ArithmeticError):
        return None
    return entry if entry.offset >= 0 and entry.height > 0 and entry.width > 0 else None


@cache
def _decoder() -> str:
    """Return what tells decoders apart: a digest of how this one reads a JPEG.

    JPEG leaves the last bit of a pixel to the decoder, and a run must not change by that silently.
    """
    with resources.as_file(resources.files("sceneparse") / "assets" / "decoder.jpg") as path:
        return hashlib.sha256(read_image(path).tobytes()).hexdigest()
