"""Bitmaps as Supervisely stores them: PNG files, compressed once more, as text in base64."""

import base64
import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.formats.rasterizer import without_empty_edges
from sceneparse.data.formats.shapes import Bitmap, Region
from sceneparse.errors import InputError

_PNG = b"\x89PNG"


@dataclass(frozen=True)
class PackedBitmap:
    """A bitmap as the base64 of a compressed PNG file.

    Attributes:
        raw_id: The raw id of its class.
        data: The text.
        top: Row of its first row in the image.
        left: Column of its first column in the image.
        pixels: Number of pixels of the image.
    """

    raw_id: int
    data: str
    top: int
    left: int
    pixels: int

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers."""
        return Bitmap(self.raw_id, self._content(), self.top, self.left).region(height, width)

    def _content(self) -> bytes:
        try:
            content = base64.b64decode(self.data, validate=True)
            if content.startswith(_PNG):
                return content
            # A PNG file of four bands has at most little more than four bytes a pixel.
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(content, 8 * self.pixels + 2**16)
        except (ValueError, zlib.error):
            raise InputError(
                "a bitmap that is not base64 of a compressed PNG file; export the project again"
            ) from None
        if not unpacker.eof:
            raise InputError(
                f"a bitmap that is cut off, or larger than its image of {self.pixels} pixels; "
                "export the project again"
            )
        return content


def packed(pixels: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the `bitmap` of an object that covers pixels `(H, W)` of an image."""
    region = without_empty_edges(Region(0, 0, pixels))
    image = Image.fromarray(region.pixels.astype(np.uint8))
    # Supervisely reads the alpha that index 0 lacks.
    image.putpalette([0, 0, 0, 255, 255, 255])
    content = io.BytesIO()
    image.save(content, "PNG", transparency=0)
    data = base64.b64encode(zlib.compress(content.getvalue())).decode()
    return {"data": data, "origin": [region.left, region.top]}
