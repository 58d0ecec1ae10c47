"""Shapes: polygons, run lengths and bitmaps, each with the pixels that it covers.

Coordinates are in pixels, with the origin in the upper left corner of the upper left pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from sceneparse.data.formats.run_lengths import decompressed, pixels_of_runs
from sceneparse.data.io.opening import check_size, name_of, open_image
from sceneparse.errors import InputError

Points = NDArray[np.float64]
# An outline takes memory in proportion to its length, 40 bytes a pixel.
_MAX_OUTLINE = 10_000_000


class Region(NamedTuple):
    """The pixels that a shape covers in an image.

    Attributes:
        top: Row of the first row of `pixels`.
        left: Column of the first column of `pixels`.
        pixels: Whether the shape covers each pixel `(h, w)`, within the image.
    """

    top: int
    left: int
    pixels: NDArray[np.bool_]


class Shape(Protocol):
    """An area of one class."""

    @property
    def raw_id(self) -> int:
        """The raw id of its class."""
        ...

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers in an image.

        Raises:
            InputError: If it does not fit into the image, or is malformed.
        """
        ...


@dataclass(frozen=True)
class Polygon:
    """An area inside of outlines, without its holes.

    Attributes:
        raw_id: The raw id of its class.
        outlines: Each `(N, 2)`, x and y of the corners in pixels; the area is their union.
        holes: Outlines of holes.
    """

    raw_id: int
    outlines: tuple[Points, ...]
    holes: tuple[Points, ...] = ()

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers; an outline of less than three points covers none.

        A pixel belongs to it by the rule of COCO (Lin et al., 2014): roughly, if its centre does.
        """
        outlines = [points for points in self.outlines if len(points) >= 3]
        holes = [points for points in self.holes if len(points) >= 3]
        for points in (*outlines, *holes):
            _check_outline(points, height, width)
        corners = np.concatenate(outlines) if outlines else np.zeros((1, 2))
        first, last = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
        left, top = np.clip(first, 0, (width, height)).astype(int).tolist()
        right, bottom = np.clip(last, 0, (width, height)).astype(int).tolist()
        if right <= left or bottom <= top or not outlines:
            return Region(0, 0, np.zeros((0, 0), np.bool_))
        size = bottom - top, right - left
        pixels = _filled(outlines, (left, top), size)
        if holes:
            pixels &= ~_filled(holes, (left, top), size)
        return Region(top, left, pixels)


@dataclass(frozen=True)
class RelativePolygon:
    """A polygon in normalised coordinates.

    Attributes:
        raw_id: The raw id of its class.
        outline: `(N, 2)`, x and y of the corners in 0..1.
    """

    raw_id: int
    outline: Points

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers."""
        scaled = self.outline * np.array([width, height], np.float64)
        return Polygon(self.raw_id, (scaled,)).region(height, width)


@dataclass(frozen=True)
class RunLengths:
    """An area stored as lengths of runs, column by column, of pixels outside and inside in turns.

    Attributes:
        raw_id: The raw id of its class.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        counts: The lengths; the first one counts pixels outside. Text is compressed as COCO does.
    """

    raw_id: int
    height: int
    width: int
    counts: tuple[int, ...] | str

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers."""
        if (self.height, self.width) != (height, width):
            raise InputError(
                f"run lengths of an image of {self.width}×{self.height} pixels, expected "
                f"{width}×{height}; export the annotations again"
            )
        counts = self.counts if isinstance(self.counts, tuple) else decompressed(self.counts)
        return Region(0, 0, pixels_of_runs(counts, width, height).T)


@dataclass(frozen=True)
class WindowRuns:
    """An area stored as lengths of runs, row by row in a window of the image.

    Attributes:
        raw_id: The raw id of its class.
        top: Row of the first row of the window in the image.
        left: Column of its first column in the image.
        height: Height of the window in pixels.
        width: Width of the window in pixels.
        counts: The lengths of runs of pixels outside and inside in turns, the first one outside.
    """

    raw_id: int
    top: int
    left: int
    height: int
    width: int
    counts: NDArray[np.int64]

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers; what lies outside of the image is left out."""
        check_size("window of run lengths", self.height, self.width)
        pixels = pixels_of_runs(self.counts, self.height, self.width)
        return _within(pixels, self.top, self.left, (height, width))


@dataclass(frozen=True)
class Bitmap:
    """An area stored as an image: its pixels that are not transparent, or without alpha not zero.

    Attributes:
        raw_id: The raw id of its class.
        source: The image file, or the bytes of one.
        top: Row of its first row in the image.
        left: Column of its first column in the image.
        fills_image: Whether it must have the size of the image.
    """

    raw_id: int
    source: Path | bytes
    top: int = 0
    left: int = 0
    fills_image: bool = False

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers."""
        pixels = self._pixels()
        if self.fills_image and pixels.shape != (height, width):
            raise InputError(
                f"{name_of(self.source)}: {pixels.shape[1]}×{pixels.shape[0]} pixels, expected "
                f"{width}×{height} as the image has; export the annotations again"
            )
        return _within(pixels, self.top, self.left, (height, width))

    def _pixels(self) -> NDArray[np.bool_]:
        with open_image(self.source) as image:
            values = np.asarray(image.getchannel("A") if "A" in image.getbands() else image)
        inside = values > 0
        return np.asarray(inside if values.ndim == 2 else inside.any(axis=2), np.bool_)


def ellipse(center: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Points:
    """Return the outline of an ellipse as corners `(N, 2)`.

    It is less than 0.1 pixels from the ellipse if no radius exceeds 10,000 pixels.

    Args:
        center: x and y, in pixels.
        radii: Half of the width and of the height, in pixels.
        angle: Rotation in degrees, clockwise.
    """
    count = int(min(720, max(24, math.ceil(8 * math.sqrt(max(radii))))))
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    corners = np.stack([np.cos(turns) * radii[0], np.sin(turns) * radii[1]], axis=1)
    return rotated(corners, angle) + np.array(center)


def rectangle(left: float, top: float, right: float, bottom: float, angle: float = 0.0) -> Points:
    """Return the corners `(4, 2)` of a rectangle.

    Args:
        left: x of its left side, in pixels.
        top: y of its upper side.
        right: x of its right side.
        bottom: y of its lower side.
        angle: Rotation around its centre in degrees, clockwise.
    """
    center = np.array([(left + right) / 2, (top + bottom) / 2])
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    return rotated(corners - center, angle) + center


def rotated(points: Points, angle: float) -> Points:
    """Rotate points `(N, 2)` around the origin, in degrees, clockwise as y points down."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return points @ np.array([[cos, sin], [-sin, cos]])


def _within(pixels: NDArray[np.bool_], top: int, left: int, size: tuple[int, int]) -> Region:
    """Return pixels `(h, w)`, whose first one lies at `top` and `left`, clipped to an image."""
    rows = slice(max(0, -top), max(0, size[0] - top))
    columns = slice(max(0, -left), max(0, size[1] - left))
    return Region(max(0, top), max(0, left), pixels[rows, columns])


def _check_outline(points: Points, height: int, width: int) -> None:
    longest = min(_MAX_OUTLINE, height * width + 8 * (height + width))
    reason = ""
    # Comparing with NaN is false; sums of large numbers may overflow.
    if not (np.abs(points) <= longest).all():
        reason = f"its corners reach from {points.min():g} to {points.max():g}"
    elif np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum() > longest:
        reason = f"its outline is longer than {longest} pixels"
    if reason:
        raise InputError(
            f"a polygon that is not of an image of {width}×{height} pixels: {reason}; draw it "
            "again, or export the annotations in pixels"
        )


def _filled(
    outlines: Sequence[Points], origin: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Fill outlines in a window of the image, whose first pixel lies at x, y of the origin."""
    moved: list[Any] = [_moved(points, origin).ravel().tolist() for points in outlines]
    encoded: Any = coco_masks.frPyObjects(moved, *size)
    filled = np.zeros(size, np.bool_)
    for each in encoded:
        filled |= pixels_of_runs(decompressed(each["counts"].decode()), size[1], size[0]).T
    return filled


def _moved(points: Points, origin: tuple[int, int]) -> Points:
    """Move points so that COCO rounds them to the same fifths of a pixel as before.

    It rounds `5 x + 0.5` towards zero, so numbers below zero are rounded up.
    """
    fifths = np.trunc(5 * points + 0.5) - 5 * np.array(origin)
    return np.where(fifths < 0, fifths - 0.75, fifths) / 5
