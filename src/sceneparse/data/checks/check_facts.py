"""Facts about each image and mask of a data set, and the findings that rules make of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from sceneparse.data.annotation import Annotation, MaskFile
from sceneparse.data.checks.duplicates import Fingerprint, fingerprint
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import FileData
from sceneparse.data.formats.rasterizer import ShapeAnnotation, read_counting
from sceneparse.data.io.bands import highest_value
from sceneparse.data.io.decode import ImageReading, image_header, read_image
from sceneparse.data.io.geotiff import GEOTIFF_SUFFIXES
from sceneparse.data.io.opening import UnknownFormatError, open_image
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.labels import Color, Labels, Mask

Severity = Literal["error", "warning"]
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One kind of fault in a data set.

    Attributes:
        kind: Its name, such as `one_class`.
        severity: `error` if training would learn or score something wrong, else `warning`.
        text: What was found, what was expected, and the config line or command that mends it.
        files: The files that have it, relative to the data set; empty if it concerns them all.
    """

    kind: str
    severity: Severity
    text: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the text, with the number of files and the first of them."""
        if not self.files:
            return self.text
        names = ", ".join(self.files[:_NAMED]) + (", …" if len(self.files) > _NAMED else "")
        noun = "file" if len(self.files) == 1 else "files"
        return f"{self.text} [{len(self.files)} {noun}: {names}]"


# Pixels from a pixel of a band to the areas on its two sides; borders of void have five or less.
_BAND = 3


@dataclass(frozen=True)
class SampleFacts:
    """What one image and its mask hold.

    Attributes:
        image: The image file, relative to the data set.
        mask: The mask file, relative to the data set; the image file if it is drawn from shapes.
        error: Why they cannot be used; empty if they can. The fields below then hold defaults.
        size: Height and width.
        stored_size: Height and width of the stored pixels, before they are turned.
        orientation: EXIF orientation; 1 if upright.
        bits: Bits per value of the image.
        highest: Largest value in a file of more than 8 bits, else in the image as it is read.
        spread: Standard deviation of the image as it is read.
        translucent: Share of pixels that a TIFF declares to be neither opaque nor transparent.
        fingerprint: What the image shows, roughly.
        ids: Number of pixels of each raw id in the mask.
        border_ids: Estimate of those in a thin band between two other ids.
        mask_mode: Mode of the mask file, as Pillow names it; empty for shapes.
        palette: Colour of each index that a palette mask uses.
        overlapped: Number of pixels in shapes of different classes.
        without_area: Number of shapes that are left out because they have no area.
    """

    image: str
    mask: str
    error: str = ""
    size: tuple[int, int] = (0, 0)
    stored_size: tuple[int, int] = (0, 0)
    orientation: int = 1
    bits: int = 8
    highest: float = 0.0
    spread: float = 0.0
    translucent: float = 0.0
    fingerprint: Fingerprint | None = None
    ids: dict[int, int] = field(default_factory=dict)
    border_ids: dict[int, int] = field(default_factory=dict)
    mask_mode: str = ""
    palette: dict[int, Color] = field(default_factory=dict)
    overlapped: int = 0
    without_area: int = 0


class CheckFacts(NamedTuple):
    """What was read of a data set.

    Attributes:
        data: Its settings.
        labels: Its classes.
        splits: Facts about the samples that were read, by split.
        notes: What a user should know about how the files were found.
        is_complete: Whether all samples were read.
    """

    data: FileData
    labels: Labels
    splits: Mapping[str, Sequence[SampleFacts]]
    notes: Sequence[str] = ()
    is_complete: bool = True

    @property
    def usable(self) -> list[SampleFacts]:
        """The samples that could be read."""
        return [
            sample for samples in self.splits.values() for sample in samples if not sample.error
        ]


def gather(files: PairedFiles, root: Path) -> Iterator[SampleFacts]:
    """Read samples in parallel, and yield the facts about each, in their order."""
    threads = min(8, os.cpu_count() or 1)
    yield from prefetch(
        lambda index: read_facts(files, index, root),
        range(len(files)),
        threads=threads,
        ahead=2 * threads,
    )


def read_facts(files: PairedFiles, index: int, root: Path) -> SampleFacts:
    """Read the facts about one sample."""
    image_path, annotation = files.images[index], files.annotations[index]
    # One file may hold the shapes of many images.
    shown = image_path if isinstance(annotation, ShapeAnnotation) else annotation.path
    names = _relative(image_path, root), _relative(shown, root)
    try:
        header = image_header(image_path, files.reading)
        mode, palette = _mask_kind(annotation)
        raw, overlapped, without_area = read_counting(annotation)
        files.check_sizes(index, header, raw.shape)
        pixels = read_image(image_path, reading=files.reading)
        translucent = _translucent(image_path, files.reading)
        deep_highest = None if header.bits == 8 else _highest(image_path, files.reading)
    except InputError as error:
        return SampleFacts(*names, error=str(error))
    ids = _pixels_of_ids(raw)
    # Every eighth row and column suffices, and is much faster.
    few = np.ascontiguousarray(pixels[::8, ::8])
    used = ids.keys() if mode == "P" else ()
    return SampleFacts(
        *names,
        size=(pixels.shape[0], pixels.shape[1]),
        stored_size=(header.height, header.width),
        orientation=header.orientation,
        bits=header.bits,
        highest=float(few.max(initial=0)) if deep_highest is None else deep_highest,
        spread=float(few.std()),
        translucent=translucent,
        fingerprint=fingerprint(pixels),
        ids=ids,
        border_ids=border_pixels(raw),
        mask_mode=mode,
        palette={index: color for index, color in palette.items() if index in used},
        overlapped=overlapped,
        without_area=without_area,
    )


def border_pixels(raw: Mask) -> dict[int, int]:
    """Estimate how many pixels of each id in a mask `(H, W)` lie in a band between two others.

    Every eighth row suffices.
    """
    height, width = raw.shape
    if min(raw.shape) <= 2 * _BAND:
        return {}
    inner = slice(_BAND, width - _BAND)
    above, rows, below = raw[: height - 2 * _BAND : 8], raw[_BAND:-_BAND:8], raw[2 * _BAND :: 8]
    middle, left, right = rows[:, inner], rows[:, : width - 2 * _BAND], rows[:, 2 * _BAND :]
    between = (left != middle) & (right != middle) & (left != right)
    above, below = above[:, inner], below[:, inner]
    between |= (above != middle) & (below != middle) & (above != below)
    return {raw_id: 8 * count for raw_id, count in _pixels_of_ids(middle[between]).items()}


def _pixels_of_ids(raw: Mask) -> dict[int, int]:
    """Return the number of pixels of each id in a mask."""
    if raw.dtype == np.uint8:
        # NumPy would convert each pixel to 8 bytes first.
        counts = Image.fromarray(np.atleast_2d(raw)).histogram()
        return {value: count for value, count in enumerate(counts) if count}
    values, pixels = np.unique(raw, return_counts=True)
    return dict(zip(values.tolist(), pixels.tolist(), strict=True))


def _mask_kind(annotation: Annotation) -> tuple[str, dict[int, Color]]:
    """Return the mode of a mask file, and its palette; nothing for shapes."""
    if not isinstance(annotation, MaskFile):
        return "", {}
    with open_image(annotation.path) as image:
        values = image.getpalette() if image.mode == "P" else None
        if not values:
            return image.mode, {}
        triples = zip(values[::3], values[1::3], values[2::3], strict=True)
        return image.mode, dict(enumerate(triples))


def _highest(path: Path, reading: ImageReading) -> float:
    """Return the largest value in an image file of more than 8 bits."""
    if reading.value_range is not None:
        return 0.0  # No rule needs it.
    return highest_value(path, reading.bands)


def _translucent(path: Path, reading: ImageReading) -> float:
    """Return the share of pixels of a TIFF that are neither opaque nor wholly transparent."""
    if reading.bands is not None or path.suffix.lower() not in GEOTIFF_SUFFIXES:
        return 0.0
    try:
        with open_image(path) as image:
            if "A" not in image.getbands():
                return 0.0
            counts = image.getchannel("A").histogram()
    except UnknownFormatError:
        return 0.0
    return sum(counts[1:-1]) / max(1, sum(counts))


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
