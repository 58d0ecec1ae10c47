"""Reading from the cache of decoded images.

The pixel file is mapped into memory. The operating system can drop mapped pages when memory runs
low, and processes that read the same cache share them.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.cache.format import (
    INDEX,
    PIXELS,
    CacheIndex,
    Entry,
    end_offset,
    pixel_recipe,
    read_index,
    renewal_command,
)
from sceneparse.data.dataset import PairedFiles, Sample
from sceneparse.data.header_index import file_stamps
from sceneparse.data.io.decode import jpeg_divisor
from sceneparse.data.io.resizing import resized_pixels
from sceneparse.errors import InputError
from sceneparse.labels import Labels


class CachedDataset:
    """A data set that reads each sample from a cache, or from its files if the cache lacks it.

    Attributes:
        files: The data set of files.
        folder: Folder of the cache.
        short_side: Maximum length of the shorter side of cached images; none for full size.
        renewal: Command that updates the cache.
    """

    def __init__(
        self,
        files: PairedFiles,
        pixels: Path,
        entries: Sequence[Entry | None],
        short_side: int | None,
        renewal: str,
    ) -> None:
        """Map a pixel file into memory.

        Args:
            files: The data set of files.
            pixels: Path of the pixel file.
            entries: Where the pixel file holds each sample; None if the cache lacks it.
            short_side: Maximum length of the shorter side of cached images; none for full size.
            renewal: Command that updates the cache.
        """
        self.files = files
        self.folder = pixels.parent
        self.short_side = short_side
        self.renewal = renewal
        self._path = pixels
        self._pixels = map_file(pixels)
        self._entries = entries
        self._verified = np.zeros(len(files), np.bool_)

    @property
    def labels(self) -> Labels:
        """The classes of the masks."""
        return self.files.labels

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each sample."""
        return self.files.names

    @property
    def cached_count(self) -> int:
        """Number of samples that the cache holds."""
        return sum(entry is not None for entry in self._entries)

    @property
    def is_complete(self) -> bool:
        """Whether the cache holds all samples."""
        return self.cached_count == len(self)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample; arrays from the cache are read-only views.

        Raises:
            InputError: If the cache is damaged, or a file that it lacks is broken.
        """
        entry = self._entries[index]
        if entry is None:
            return reduce_to_short_side(self.files[index], self.short_side)
        height, width = entry.height, entry.width
        content = self._pixels[entry.offset : end_offset(entry, self.files)]
        name = self.names[index]
        if not self._verified[index]:
            self._verify(name, content, entry.crc)
            self._verified[index] = True
        channels = self.files.reading.channels
        image_bytes = channels * height * width
        image = content[-image_bytes:].reshape(height, width, channels)
        mask = content[:-image_bytes].view(self.labels.dtype).reshape(height, width)
        return Sample(image, mask, name)

    def read_reduced(self, index: int, height: int, width: int) -> Sample:
        """Return one sample; a JPEG that can be decoded at lower resolution is read from its file.

        At full size, training thus gets the same pixels with and without the cache. With
        `short_side` it gets reduced ones, also of samples that the cache lacks.

        Raises:
            InputError: If the cache is damaged, or a file is broken.
        """
        entry = self._entries[index]
        if self.short_side is None and (
            entry is None or self._is_decoded_reduced(index, entry, (height, width))
        ):
            return self.files.read_reduced(index, height, width)
        return self[index]

    def _is_decoded_reduced(self, index: int, entry: Entry, needed: tuple[int, int]) -> bool:
        """Return whether the file of a sample is decoded at a lower resolution, as JPEG can be."""
        is_jpeg = self.files.images[index].suffix.lower() in (".jpg", ".jpeg")
        return is_jpeg and jpeg_divisor((entry.height, entry.width), needed) > 1

    def _verify(self, name: str, content: NDArray[np.uint8], crc: int) -> None:
        found = zlib.crc32(content.data)
        if found != crc:
            raise InputError(
                f"{self._path}: the pixels of {name} are damaged: CRC-32 {found:08x}, expected "
                f"{crc:08x}; rewrite them with: {self.renewal} --check"
            )


def open_cached_dataset(files: PairedFiles, root: Path, folder: Path) -> CachedDataset | None:
    """Open the cache of a split; none if the folder has no cache of this split.

    A cached sample is used only if its source files, the labels and the decoder are those of the
    cache.

    Args:
        files: The data set of files.
        root: Folder of the data set, for messages.
        folder: Folder of the cache.
    """
    pixels = folder / (files.cache_name + PIXELS)
    cache_index = read_index(folder / (files.cache_name + INDEX))
    if cache_index is None:
        return None
    short_side = cache_index.recipe.get("short_side")
    short_side = short_side if isinstance(short_side, int) else None
    is_current = cache_index.recipe == pixel_recipe(files, short_side)
    entries = find_entries(files, cache_index if is_current else None, pixels)
    renewal = renewal_command(root, folder, short_side)
    return CachedDataset(files, pixels, entries, short_side, renewal)


def find_entries(
    files: PairedFiles, cache_index: CacheIndex | None, pixels: Path
) -> list[Entry | None]:
    """Find the entry of each sample; none if the cache lacks it or its source files changed."""
    if cache_index is None:
        return [None] * len(files)
    end = file_size(pixels)
    entries: list[Entry | None] = []
    for index, name in enumerate(files.names):
        entry = cache_index.entries.get(name)
        is_complete = entry is not None and end_offset(entry, files) <= end
        entries.append(
            entry
            if entry and is_complete and entry.source_stamps == file_stamps(files, index)
            else None
        )
    return entries


def stored_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return height and width at which an image is stored, with a maximum shorter side."""
    if short_side is None or min(height, width) <= short_side:
        return height, width
    factor = short_side / min(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def reduce_to_short_side(sample: Sample, short_side: int | None) -> Sample:
    """Resize a sample to a maximum shorter side: the image antialiased, the mask by nearest."""
    height, width = sample.mask.shape
    new_height, new_width = stored_size(height, width, short_side)
    if (new_height, new_width) == (height, width):
        return sample
    size = (new_width, new_height)
    image = resized_pixels(sample.image, (new_height, new_width), Image.Resampling.BILINEAR)
    mask = Image.fromarray(sample.mask).resize(size, Image.Resampling.NEAREST)
    ids = np.array(mask).astype(sample.mask.dtype, copy=False)
    return Sample(image, ids, sample.name)


def file_size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist."""
    return path.stat().st_size if path.is_file() else 0


def map_file(path: Path) -> NDArray[np.uint8]:
    """Map a file into memory for reading; for an empty file, return an empty array."""
    if not file_size(path):
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="r"))
