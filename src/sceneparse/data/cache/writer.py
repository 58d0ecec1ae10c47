"""Writing the cache of decoded images that `reader.py` reads.

Threads decode the files. One writer appends the pixels of a sample, and then its line of the index.
A build that stops at any point therefore loses only the samples in progress, and resumes when it is
started again. Samples whose files changed are appended too. The space of their old pixels stays
unused until it exceeds half of the file; then the whole cache is rewritten.
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
    CacheIndex,
    Entry,
    Recipe,
    end_offset,
    pixel_recipe,
    read_index,
    sample_bytes,
)
from sceneparse.data.cache.reader import (
    file_size,
    find_entries,
    map_file,
    reduce_to_short_side,
    stored_size,
)
from sceneparse.data.dataset import PairedFiles, Sample
from sceneparse.data.header_index import file_stamps
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.system.files import write_whole

# Each sample starts at a multiple of this many bytes.
_ALIGNMENT = 64


@dataclass(frozen=True)
class CachePlan:
    """The entries of a cache to keep, and the samples to write.

    Attributes:
        files: The data set of files.
        root: Folder of the data set.
        sizes: Height and width at which each sample is stored, `(N, 2)`.
        pixels: Path of the pixel file.
        index: Path of the index file.
        recipe: Recipe of the pixels.
        kept: Valid entries of the existing cache.
        missing: Indices of the samples to write.
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
        """Number of bytes to append to the pixel file."""
        sizes = self.sizes[list(self.missing)].tolist()
        return sum(_align(sample_bytes(height, width, self.files)) for height, width in sizes)

    @property
    def freed_bytes(self) -> int:
        """Number of bytes freed before writing: those of the pixel file if no entry is kept."""
        return 0 if self.kept else file_size(self.pixels)

    def without(self, damaged: set[str]) -> "CachePlan":
        """Return a plan that rewrites the named samples."""
        kept = tuple(entry for entry in self.kept if entry.name not in damaged)
        rewritten = (number for number, name in enumerate(self.files.names) if name in damaged)
        return replace(self, kept=kept, missing=tuple(sorted({*self.missing, *rewritten})))


def plan_cache(
    files: PairedFiles,
    sizes: NDArray[np.int64],
    root: Path,
    folder: Path,
    short_side: int | None,
) -> CachePlan:
    """Plan which samples to write to a cache.

    Args:
        files: The data set of files.
        sizes: Height and width of each sample, `(N, 2)`.
        root: Folder of the data set.
        folder: Folder of the cache.
        short_side: Maximum length of the shorter side of stored images; none for full size.

    Raises:
        InputError: If the folder holds other files, or the cache of another data set.
    """
    pixels, index = folder / (files.cache_name + PIXELS), folder / (files.cache_name + INDEX)
    existing = _read_existing_index(pixels, index, short_side)
    current_recipe = pixel_recipe(files, short_side)
    stored_sizes = np.array(
        [stored_size(height, width, short_side) for height, width in sizes.tolist()]
    )
    entries = find_entries(
        files, existing if existing and existing.recipe == current_recipe else None, pixels
    )
    kept = tuple(entry for entry in entries if entry)
    missing = tuple(number for number, entry in enumerate(entries) if not entry)
    if existing and existing.entries and not kept and existing.root != str(root.resolve()):
        raise InputError(
            f"{index}: belongs to another data set, {existing.root}; choose another folder, or "
            "delete that one",
            "to",
        )
    plan = CachePlan(files, root, stored_sizes, pixels, index, current_recipe, kept, missing)
    used = sum(_align(end_offset(entry, files) - entry.offset) for entry in kept)
    if 2 * (used + plan.missing_bytes) < file_size(pixels) + plan.missing_bytes:
        return plan.without({entry.name for entry in kept})
    return plan


def find_damaged(plan: CachePlan, threads: int) -> set[str]:
    """Return the names of the kept samples whose pixels do not match their CRC-32."""
    content, files = map_file(plan.pixels), plan.files

    def is_damaged(entry: Entry) -> bool:
        return zlib.crc32(content[entry.offset : end_offset(entry, files)].data) != entry.crc

    found = prefetch(is_damaged, plan.kept, threads=threads, ahead=4 * threads)
    return {entry.name for entry, bad in zip(plan.kept, found, strict=True) if bad}


def write_cache(plan: CachePlan, threads: int) -> Iterator[str]:
    """Write the missing samples, and yield the name of each sample written.

    Raises:
        InputError: If an image or mask is broken, or the disk is full; written samples remain.
    """
    try:
        yield from _write_cache(plan, threads)
    except OSError as error:
        raise InputError(
            f"{plan.pixels}: cannot be written ({error.strerror}); what is there is kept: make "
            "room and try again, or choose another folder",
            "to",
        ) from None


def _write_cache(plan: CachePlan, threads: int) -> Iterator[str]:
    header = {"root": str(plan.root.resolve()), "recipe": plan.recipe}
    lines = [json.dumps(line) + "\n" for line in (header, *plan.kept)]
    write_whole(plan.index, "".join(lines).encode())
    if not plan.kept:
        # A running process keeps reading from the unlinked file; the new file is a separate one.
        plan.pixels.unlink(missing_ok=True)
    # Pixels after the last entry, from a stopped build, are kept: other runs may still read them.
    end = file_size(plan.pixels)
    with FileIO(plan.pixels, "a") as pixels, FileIO(plan.index, "a") as index:
        decoded = prefetch(
            lambda number: _decode_sample(plan, number),
            plan.missing,
            threads=threads,
            ahead=threads,
        )
        for entry, sample in decoded:
            offset = _align(end)
            for part in (memoryview(bytes(offset - end)), sample.mask.data, sample.image.data):
                _write_all(pixels, part.cast("B"))
            end = offset + sample.mask.nbytes + sample.image.nbytes
            line = json.dumps(entry._replace(offset=offset)) + "\n"
            _write_all(index, memoryview(line.encode()))
            yield entry.name


def _decode_sample(plan: CachePlan, number: int) -> tuple[Entry, Sample]:
    """Read one sample; its entry has no offset yet."""
    files = plan.files
    height, width = plan.sizes[number].tolist()
    short_side = plan.recipe["short_side"]
    stamps_before = file_stamps(files, number)
    sample = reduce_to_short_side(
        files[number], short_side if isinstance(short_side, int) else None
    )
    if stamps_before is None or sample.mask.shape != (height, width):
        raise InputError(f"{files.images[number]}: changed during reading; run the command again")
    sample = Sample(
        np.ascontiguousarray(sample.image), np.ascontiguousarray(sample.mask), sample.name
    )
    crc = zlib.crc32(sample.image.data, zlib.crc32(sample.mask.data))
    return Entry(sample.name, 0, height, width, crc, stamps_before), sample


def _read_existing_index(pixels: Path, index: Path, short_side: int | None) -> CacheIndex | None:
    """Read the existing index; none if the folder has no cache of this split.

    Raises:
        InputError: If the files are no cache, or a cache with another `short_side`.
    """
    existing = read_index(index)
    if existing is None and (index.exists() or pixels.exists()):
        raise InputError(
            f"{index}: not the index of a cache; delete it and {pixels.name}, or choose another "
            "folder",
            "to",
        )
    if existing and existing.recipe.get("short_side") != short_side:
        raise InputError(
            f"{index}: a cache with short_side {existing.recipe.get('short_side')}, expected "
            f"{short_side}; choose another folder, or delete that one",
            "to",
        )
    return existing


def _align(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def _write_all(file: FileIO, content: memoryview) -> None:
    """Write all of the content; a single write may be partial when the disk becomes full."""
    while content:
        content = content[file.write(content) :]
