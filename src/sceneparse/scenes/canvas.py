"""A canvas that paints image and mask together, so that they always match."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.floating]
"""Array of a scene, float32: painting takes half the time of float64."""
Box = tuple[int, int, int, int]
Ink = Callable[[Array, Array], Array]
"""Colours `(3, h, w)` at pixel centres, given columns `(1, w)` and rows `(h, 1)` in pixels."""

_FEW_PIXELS = 24
"""Shapes with a smaller bounding box get a single colour, since a texture would only be noise."""


class Canvas:
    """An image and a mask of raw class ids, painted back to front.

    Shapes are antialiased in the image; the mask takes the class that covers most of the pixel.

    Attributes:
        image: Colours `(3, H, W)`, about 0..1 (light may exceed 1).
        mask: Raw class ids `(H, W)`.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self.image = np.zeros((3, height, width), np.float32)
        self.mask = np.zeros((height, width), np.uint8)

    def paint(self, outline: Array, ink: Ink, class_id: int, opacity: float = 1.0) -> None:
        """Paint a polygon and set the class of its pixels.

        Args:
            outline: Corners `(N, 2)` as x, y in pixels.
            ink: Colours of the covered pixels.
            class_id: Raw id for the mask.
            opacity: Share of the ink in 0..1 in the mixture with the image below.
        """
        box = self._clip(outline)
        if box is None:
            return
        x0, y0, x1, y1 = box
        cover = coverage(outline, box)
        below = self.image[:, y0:y1, x0:x1]
        change = ink(*_centres(box)) - below
        change *= cover if opacity == 1 else cover * np.float32(opacity)
        below += change
        np.copyto(self.mask[y0:y1, x0:x1], class_id, where=cover >= 0.5)

    def tint(self, outline: Array, ink: Ink) -> None:
        """Multiply the image inside a polygon, for shadow and light; the mask does not change."""
        box = self._clip(outline)
        if box is None:
            return
        x0, y0, x1, y1 = box
        factor = ink(*_centres(box)) - np.float32(1)
        self.image[:, y0:y1, x0:x1] *= 1 + factor * coverage(outline, box)

    def glow(self, x: float, y: float, radius: float, color: Array) -> None:
        """Add a soft halo of light around a point in pixels; the mask does not change."""
        reach = np.array([[x - radius, y - radius], [x + radius, y + radius]], np.float32)
        box = self._clip(reach)
        if box is None:
            return
        x0, y0, x1, y1 = box
        columns, rows = _centres(box)
        distance = ((columns - x) ** 2 + (rows - y) ** 2) / np.float32(radius * radius)
        falloff = np.maximum(1 - distance, 0) ** 3
        self.image[:, y0:y1, x0:x1] += color.reshape(3, 1, 1) * falloff

    def _clip(self, outline: Array) -> Box | None:
        x, y = outline.T.tolist()
        left, top, right, bottom = min(x), min(y), max(x), max(y)
        x0, y0 = max(math.floor(left), 0), max(math.floor(top), 0)
        x1, y1 = min(math.ceil(right), self.width), min(math.ceil(bottom), self.height)
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def coverage(outline: Array, box: Box) -> Array:
    """Return the share 0..1 of each pixel of `box` that lies inside a polygon."""
    x0, y0, x1, y1 = box
    # Aliasing is most visible on small shapes, and supersampling costs most on large ones.
    scale = 4 if (x1 - x0) * (y1 - y0) < 6000 else 2
    fine = Image.new("L", ((x1 - x0) * scale, (y1 - y0) * scale))
    corners = (outline - np.array([x0, y0], np.float32)) * scale - np.float32(0.5)
    ImageDraw.Draw(fine).polygon(corners.ravel().tolist(), fill=255)
    return np.asarray(fine.reduce(scale), np.float32) * np.float32(1 / 255)


def _centres(box: Box) -> tuple[Array, Array]:
    x0, y0, x1, y1 = box
    if (x1 - x0) * (y1 - y0) < _FEW_PIXELS:
        return (
            np.array([[(x0 + x1) / 2]], np.float32),
            np.array([[(y0 + y1) / 2]], np.float32),
        )
    columns = np.arange(x0, x1, dtype=np.float32)[None] + np.float32(0.5)
    rows = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5)
    return columns, rows
