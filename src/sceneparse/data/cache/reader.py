"""A data set whose pixels were decoded once and are mapped into memory.

Memory does not grow with the number of images: what is mapped belongs to the system, which drops
it when it needs the room, and processes that read the same cache share it.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.cache.format import (
    INDEX,
    PIXELS,
    Entry,
    PackIndex,
    end_of,
    read_index,
    recipe,
    renewing_command,
    sample_bytes,
)
from sceneparse.data.dataset import PairedFiles, Sample
from sceneparse.data.header_index import stamps
from sceneparse.data.io.decode import reduction
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask


class Packed:
    """Images and masks in files, read from a cache where it holds them as they are.

    Attributes:
        files: The files.
        folder: The folder of the cache.
        short_side: What the shorter side of larger images was reduced to; none if they were not.
        renewal: The command that makes the cache hold all files as they are.
    """

    def __init__(
        self,
        files: PairedFiles,
        pixels: Path,
        places: NDArray[np.int64],
        short_side: int | None,
        renewal: str,
    ) -> None:
        """Map a file of pixels.

        Args:
            files: The data set.
            pixels: The file.
            places: Offset, height, width and CRC-32 of each sample, `(N, 4)`; an offset of -1
                where the cache does not hold it.
            short_side: As above.
            renewal: As above.
        """
        self.files = files
        self.folder = pixels.parent
        self.short_side = short_side
        self.renewal = renewal
        self._path = pixels
        self._pixels = mapped(pixels)
        self._places = places
        self._verified = np.zeros(len(files), np.bool_)

    @property
    def labels(self) -> Labels:
        """How to read the train ids."""
        return self.files.labels

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each sample."""
        return self.files.names

    @property
    def held(self) -> int:
        """How many samples come from the cache, and not from their files."""
        return int((self._places[:, 0] >= 0).sum())

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample; arrays from the cache are views that cannot be written to.

        Raises:
            InputError: If the cache is damaged, or a file that it does not hold is broken.
        """
        offset, height, width, crc = self._places[index].tolist()
        if offset < 0:
            return reduced(self.files[index], self.short_side)
        content = self._pixels[offset : offset + sample_bytes(height, width, self.labels)]
        name = self.files.images[index].stem
        if not self._verified[index]:
            self._verify(name, content, crc)
            self._verified[index] = True
        image = content[-3 * height * width :].reshape(height, width, 3)
        mask = content[: -3 * height * width].view(self.labels.dtype).reshape(height, width)
        return Sample(image, mask, name)

    def reduced(self, index: int, height: int, width: int) -> Sample:
        """Return one sample; a JPEG that need not be decoded whole is read from its file.

        So training sees the same pixels with the cache as without.

        Raises:
            InputError: If the cache is damaged, or a file that is read is broken.
        """
        size = (int(self._places[index, 1]), int(self._places[index, 2]))
        is_jpeg = self.files.images[index].suffix.lower() in (".jpg", ".jpeg")
        absent = self._places[index, 0] < 0
        if self.short_side is None and (
            absent or (is_jpeg and reduction(size, (height, width)) > 1)
        ):
            return self.files.reduced(index, height, width)
        return self[index]

    def _verify(self, name: str, content: NDArray[np.uint8], crc: int) -> None:
        found = zlib.crc32(content.data)
        if found != crc:
            raise InputError(
                f"{self._path}: the pixels of {name} are damaged: CRC-32 {found:08x}, expected "
                f"{crc:08x}; renew them: {self.renewal} --check"
            )


def open_packed(files: PairedFiles, root: Path, folder: Path) -> Packed | None:
    """Open the cache of a data set; none if the folder holds none of this split.

    A sample is taken from its files where the cache does not have it, or has it of other files,
    of other labels, or as another decoder would read it.

    Args:
        files: Which samples.
        root: The folder of the data set, for messages.
        folder: The folder of the cache.
    """
    pixels, index = folder / (files.part + PIXELS), read_index(folder / (files.part + INDEX))
    if index is None:
        return None
    short_side = index.recipe.get("short_side")
    short_side = short_side if isinstance(short_side, int) else None
    same = index.recipe == recipe(files, short_side)
    places = np.full((len(files), 4), -1, np.int64)
    for number, entry in enumerate(entries_of(files, index if same else None, pixels)):
        if entry:
            places[number] = entry[1:5]
    renewal = renewing_command(root, folder, short_side)
    return Packed(files, pixels, places, short_side, renewal)


def entries_of(files: PairedFiles, index: PackIndex | None, pixels: Path) -> list[Entry | None]:
    """Find the entry of each sample; none where the cache lacks it, or has it of other files."""
    if index is None:
        return [None] * len(files)
    end = file_size(pixels)
    entries: list[Entry | None] = []
    for number, name in enumerate(files.names):
        entry = index.entries.get(name)
        whole = entry is not None and end_of(entry, files.labels) <= end
        entries.append(entry if entry and whole and entry.stamps == stamps(files, number) else None)
    return entries


def reduced_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return the size that an image is stored in: its own if its shorter side is not longer."""
    if short_side is None or min(height, width) <= short_side:
        return height, width
    factor = short_side / min(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def reduced(sample: Sample, short_side: int | None) -> Sample:
    """Reduce a sample: the image antialiased, the mask by nearest neighbour."""
    height, width = sample.mask.shape
    new_height, new_width = reduced_size(height, width, short_side)
    if (new_height, new_width) == (height, width):
        return sample
    size = (new_width, new_height)
    image = Image.fromarray(sample.image).resize(size, Image.Resampling.BILINEAR)
    mask = Image.fromarray(sample.mask).resize(size, Image.Resampling.NEAREST)
    return Sample(np.array(image), _as_ids(mask, sample.mask.dtype), sample.name)


def _as_ids(mask: Image.Image, dtype: np.dtype[Any]) -> Mask:
    return np.array(mask).astype(dtype, copy=False)


def file_size(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def mapped(path: Path) -> NDArray[np.uint8]:
    """Map a file for reading; an empty one cannot be mapped."""
    if not file_size(path):
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="r"))
