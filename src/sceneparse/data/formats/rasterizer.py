"""The one way from shapes to a mask."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sceneparse.data.annotation import Annotation
from sceneparse.data.formats.shapes import Region, Shape
from sceneparse.data.io.decode import DEFAULT_READING, ImageReading, image_size
from sceneparse.data.io.opening import check_size
from sceneparse.errors import InputError
from sceneparse.labels import Mask


class DrawnMask(NamedTuple):
    """A mask that was drawn from shapes.

    Attributes:
        raw: Raw ids `(H, W)`.
        uncovered: Number of pixels in no shape.
        overlapped: Number of pixels in shapes of different classes.
    """

    raw: Mask
    uncovered: int
    overlapped: int


def draw(
    shapes: Sequence[Shape], size: tuple[int, int], uncovered_id: int, *, in_order: bool
) -> DrawnMask:
    """Draw shapes over each other.

    Args:
        shapes: The shapes of an image, in the order of their file.
        size: Height and width of the image.
        uncovered_id: Raw id of pixels in no shape.
        in_order: Whether later shapes lie over earlier ones; else smaller ones lie over larger
            ones.

    Raises:
        InputError: If the image is too large, or a shape makes no sense.
    """
    height, width = size
    check_size("annotation", height, width)
    # One after another where that is possible: many large ones do not fit into memory.
    regions: Iterable[tuple[int, Region]] = (
        (shape.raw_id, shape.region(height, width)) for shape in shapes
    )
    if not in_order:
        cropped = [(raw_id, without_empty_edges(region)) for raw_id, region in regions]
        # Stable: of two that are equally large, the later one lies on top.
        regions = sorted(cropped, key=lambda each: -int(np.count_nonzero(each[1].pixels)))
    highest = max([uncovered_id, *(shape.raw_id for shape in shapes)])
    raw = np.full((height, width), uncovered_id, np.uint8 if highest <= 255 else np.uint16)
    covered, overlapped = np.zeros((2, height, width), np.bool_)
    for raw_id, region in regions:
        rows = slice(region.top, region.top + region.pixels.shape[0])
        columns = slice(region.left, region.left + region.pixels.shape[1])
        is_other = covered[rows, columns] & (raw[rows, columns] != raw_id)
        overlapped[rows, columns] |= region.pixels & is_other
        raw[rows, columns][region.pixels] = raw_id
        covered[rows, columns] |= region.pixels
    return DrawnMask(raw, int((~covered).sum()), int(np.count_nonzero(overlapped)))


def without_empty_edges(region: Region) -> Region:
    """Return a region without the empty rows and columns around its pixels."""
    rows = np.flatnonzero(region.pixels.any(axis=1))
    columns = np.flatnonzero(region.pixels.any(axis=0))
    if not len(rows):
        return Region(0, 0, np.zeros((0, 0), np.bool_))
    window = region.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # A view would keep all pixels in memory.
    return Region(region.top + int(rows[0]), region.left + int(columns[0]), window.copy())


@dataclass(frozen=True)
class ShapeAnnotation:
    """The annotation of an image by shapes.

    Attributes:
        path: The file that holds them.
        image: The image file.
        shapes: The shapes, in the order of the file.
        uncovered_id: Raw id of pixels in no shape; none if nobody has said what they are.
        in_order: Whether later shapes lie over earlier ones; else smaller ones over larger ones.
        stated_size: Height and width as the file states them; none for those of the image.
        without_area: Number of shapes that were left out because they have no area, such as points.
        reading: How the image is read, which may turn it.
    """

    path: Path
    image: Path
    shapes: Sequence[Shape]
    uncovered_id: int | None
    in_order: bool
    stated_size: tuple[int, int] | None = None
    without_area: int = 0
    reading: ImageReading = DEFAULT_READING

    def size(self) -> tuple[int, int]:
        """Return height and width."""
        return self.stated_size or image_size(self.image, self.reading)

    def read(self) -> Mask:
        """Draw raw ids `(H, W)`."""
        return self.draw().raw

    def draw(self) -> DrawnMask:
        """Draw the mask, and count what a user should know about it.

        Raises:
            InputError: If a shape makes no sense, or nobody has said what uncovered pixels are.
        """
        try:
            drawn = draw(self.shapes, self.size(), self.uncovered_id or 0, in_order=self.in_order)
        except InputError as error:
            raise InputError(f"{self.path}: {self.image.name}: {error}") from None
        if drawn.uncovered and self.uncovered_id is None:
            share = drawn.uncovered / drawn.raw.size
            raise InputError(
                f"{self.path}: {share:.0%} of the pixels of {self.image.name} lie in no shape, and "
                "the format does not say what they are; set data.uncovered=background if they are "
                "a class of their own, or data.uncovered=ignore if nobody has labelled them"
            )
        return drawn


class CountedIds(NamedTuple):
    """The raw ids of an image, and what a user should know about how they were drawn.

    Attributes:
        raw: Raw ids `(H, W)`.
        overlapped: Number of pixels in shapes of different classes.
        without_area: Number of shapes that were left out because they have no area.
    """

    raw: Mask
    overlapped: int = 0
    without_area: int = 0


def read_counting(annotation: Annotation) -> CountedIds:
    """Read an annotation of any kind.

    Raises:
        InputError: If the file is broken, or of another kind than expected.
    """
    if not isinstance(annotation, ShapeAnnotation):
        return CountedIds(annotation.read())
    drawn = annotation.draw()
    return CountedIds(drawn.raw, drawn.overlapped, annotation.without_area)
