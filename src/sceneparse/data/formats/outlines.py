"""From masks to polygons, for formats that store outlines.

`shapes.Polygon` fills these outlines to exactly the same pixels.
"""

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from sceneparse.data.formats.shapes import Points
from sceneparse.labels import Mask


class Area(NamedTuple):
    """Connected pixels of one class.

    Attributes:
        train_id: Train id of its class.
        outline: Corners `(N, 2)`, x and y in pixels; between pixel centres, half a pixel from each.
        holes: Outlines of its holes.
    """

    train_id: int
    outline: Points
    holes: tuple[Points, ...]

    @property
    def pixels(self) -> float:
        """Its size in pixels, roughly."""
        return polygon_area(self.outline) - sum(polygon_area(hole) for hole in self.holes)


def areas(mask: Mask, ids: Container[int]) -> Iterator[Area]:
    """Yield the connected areas of each class in a mask.

    Args:
        mask: Train ids `(H, W)`.
        ids: The classes.
    """
    for train_id in np.unique(mask).tolist():
        if train_id in ids:
            yield from (
                Area(train_id, rings[0], tuple(rings[1:])) for rings in outlines(mask == train_id)
            )


def outlines(pixels: NDArray[np.bool_]) -> Iterator[list[Points]]:
    """Yield the outline of each connected area of pixels `(H, W)`, then those of its holes."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return
    top, left = int(rows[0]), int(columns[0])
    window = np.pad(pixels[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(np.float32)
    generator = contour_generator(z=window, fill_type=FillType.OuterOffset)
    filled: Any = generator.filled(0.5, 2.0)
    all_points, all_offsets = filled
    # The padding moves pixels by 1, and a pixel's centre lies at 0.5.
    origin = np.array([left - 0.5, top - 0.5])
    for points, offsets in zip(all_points, all_offsets, strict=True):
        pairs = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        # Each ring ends with its first point.
        yield [_corners(np.asarray(points[a : b - 1], np.float64) + origin) for a, b in pairs]


def without_holes(area: Area) -> Points:
    """Return one outline `(N, 2)` of an area with holes, joined by a cut that has no width."""
    joined = area.outline
    for hole in area.holes:
        distances = np.abs(joined[:, None] - hole[None, :1]).sum(axis=2)[:, 0]
        at = int(distances.argmin())
        joined = np.concatenate([joined[: at + 1], hole, hole[:1], joined[at:]])
    return joined


def polygon_area(points: Points) -> float:
    """Return the area of a polygon `(N, 2)`."""
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _corners(points: Points) -> Points:
    """Leave out points on a straight line."""
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return points[turn != 0]
