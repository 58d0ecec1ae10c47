"""Write the cache of decoded images that `packed.py` reads.

Threads decode; one writer appends pixels, and after them the line of the index that names them. So
a build that is stopped at any point, by whatever means, has lost only the samples that were under
way, and is gone on with by starting it again. Samples whose files changed are appended too; the
space of the old ones is lost until it is more than half of all: then everything is written anew.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.cache.format import (
    INDEX,
    PIXELS,
    Entry,
    PackIndex,
    Recipe,
    end_of,
    read_index,
    recipe,
    sample_bytes,
)
from sceneparse.data.cache.reader import entries_of, file_size, mapped, reduced, reduced_size
from sceneparse.data.dataset import PairedFiles, Sample
from sceneparse.data.header_index import stamps
from sceneparse.data.loader import prefetched
from sceneparse.errors import InputError
from sceneparse.system.files import write_whole

# Each sample begins at a multiple of this many bytes.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Packing:
    """What is kept of a cache, and what has to be written.

    Attributes:
        files: The data set.
        root: Its folder.
        sizes: Height and width that each sample is stored in, `(N, 2)`.
        pixels: The file of pixels.
        index: The file that says what is where in it.
        recipe: How pixels come from files.
        kept: Entries that are right as they are.
        missing: Indices of the samples to be written.
    """

    files: PairedFiles
    root: Path
    sizes: NDArray[np.int64]
    pixels: Path
    index: Path
    recipe: Recipe
    kept: tuple[Entry, ...]
    missing: tuple[int, ...]

    @property
    def missing_bytes(self) -> int:
        """How much will be written to the file of pixels."""
        labels = self.files.labels
        sizes = self.sizes[list(self.missing)].tolist()
        return sum(_aligned(sample_bytes(height, width, labels)) for height, width in sizes)

    @property
    def freed_bytes(self) -> int:
        """How much will be given back before: the file of pixels, where nothing of it is kept."""
        return 0 if self.kept else file_size(self.pixels)

    def without(self, damaged: set[str]) -> "Packing":
        """Return the same with some samples to be written once more."""
        kept = tuple(entry for entry in self.kept if entry.name not in damaged)
        again = (number for number, name in enumerate(self.files.names) if name in damaged)
        return replace(self, kept=kept, missing=tuple(sorted({*self.missing, *again})))


def planned(
    files: PairedFiles,
    sizes: NDArray[np.int64],
    root: Path,
    folder: Path,
    short_side: int | None,
) -> Packing:
    """Find out what a cache lacks.

    Args:
        files: The data set.
        sizes: Height and width of each sample, `(N, 2)`.
        root: Its folder.
        folder: The folder of the cache.
        short_side: What the shorter side of larger images is reduced to; none for no limit.

    Raises:
        InputError: If the folder holds something else, which would be lost.
    """
    pixels, index = folder / (files.part + PIXELS), folder / (files.part + INDEX)
    old = _old(pixels, index, short_side)
    made = recipe(files, short_side)
    stored = np.array([reduced_size(height, width, short_side) for height, width in sizes.tolist()])
    entries = entries_of(files, old if old and old.recipe == made else None, pixels)
    kept = tuple(entry for entry in entries if entry)
    missing = tuple(number for number, entry in enumerate(entries) if not entry)
    if old and old.entries and not kept and old.root != str(root.resolve()):
        raise InputError(
            f"{index}: belongs to another data set, {old.root}; choose another folder, or delete "
            "that one",
            "to",
        )
    packing = Packing(files, root, stored, pixels, index, made, kept, missing)
    used = sum(_aligned(end_of(entry, files.labels) - entry.offset) for entry in kept)
    if 2 * (used + packing.missing_bytes) < file_size(pixels) + packing.missing_bytes:
        return packing.without({entry.name for entry in kept})
    return packing


def damaged(packing: Packing, threads: int) -> set[str]:
    """Read all that is kept, and return the names of the samples that are not what was written."""
    content, labels = mapped(packing.pixels), packing.files.labels

    def is_damaged(entry: Entry) -> bool:
        return zlib.crc32(content[entry.offset : end_of(entry, labels)].data) != entry.crc

    found = prefetched(is_damaged, packing.kept, threads=threads, ahead=4 * threads)
    return {entry.name for entry, bad in zip(packing.kept, found, strict=True) if bad}


def written(packing: Packing, threads: int) -> Iterator[str]:
    """Write what is missing, and yield the name of each sample that is done.

    Raises:
        InputError: If an image or mask is broken, or the disk is full; what was written stays.
    """
    try:
        yield from _written(packing, threads)
    except OSError as error:
        raise InputError(
            f"{packing.pixels}: cannot be written ({error.strerror}); what is there is kept: make "
            "room and try again, or choose another folder",
            "to",
        ) from None


def _written(packing: Packing, threads: int) -> Iterator[str]:
    header = {"root": str(packing.root.resolve()), "recipe": packing.recipe}
    lines = [json.dumps(line) + "\n" for line in (header, *packing.kept)]
    write_whole(packing.index, "".join(lines).encode())
    if not packing.kept:
        # A run that still reads from the old file keeps it, as the new one is another.
        packing.pixels.unlink(missing_ok=True)
    # What a stopped build left behind the last entry stays: older runs may still read there.
    end = file_size(packing.pixels)
    with FileIO(packing.pixels, "a") as pixels, FileIO(packing.index, "a") as index:
        ready = prefetched(
            lambda number: _decoded(packing, number),
            packing.missing,
            threads=threads,
            ahead=threads,
        )
        for entry, sample in ready:
            offset = _aligned(end)
            for part in (memoryview(bytes(offset - end)), sample.mask.data, sample.image.data):
                _write_all(pixels, part.cast("B"))
            end = offset + sample.mask.nbytes + sample.image.nbytes
            line = json.dumps(entry._replace(offset=offset)) + "\n"
            _write_all(index, memoryview(line.encode()))
            yield entry.name


def _decoded(packing: Packing, number: int) -> tuple[Entry, Sample]:
    """Read one sample; where its entry lies in the cache is not known yet."""
    files = packing.files
    height, width = packing.sizes[number].tolist()
    short_side = packing.recipe["short_side"]
    before = stamps(files, number)
    sample = reduced(files[number], short_side if isinstance(short_side, int) else None)
    if before is None or sample.mask.shape != (height, width):
        raise InputError(f"{files.images[number]}: changed while it was read; run this again")
    sample = Sample(
        np.ascontiguousarray(sample.image), np.ascontiguousarray(sample.mask), sample.name
    )
    crc = zlib.crc32(sample.image.data, zlib.crc32(sample.mask.data))
    return Entry(sample.name, 0, height, width, crc, before), sample


def _old(pixels: Path, index: Path, short_side: int | None) -> PackIndex | None:
    """Read the index that is there.

    Raises:
        InputError: If the files are none of ours, or hold images of another size.
    """
    old = read_index(index)
    if old is None and (index.exists() or pixels.exists()):
        raise InputError(
            f"{index}: not the index of a cache; delete it and {pixels.name}, or choose another "
            "folder",
            "to",
        )
    if old and old.recipe.get("short_side") != short_side:
        raise InputError(
            f"{index}: a cache with short_side {old.recipe.get('short_side')}, expected "
            f"{short_side}; choose another folder, or delete that one",
            "to",
        )
    return old


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def _write_all(file: FileIO, content: memoryview) -> None:
    """Write it all; a disk that becomes full takes a part first."""
    while content:
        content = content[file.write(content) :]
