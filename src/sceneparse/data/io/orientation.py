"""The EXIF orientation of images, and how it is undone."""

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# EXIF 2.32, tag 0x0112: with these orientations, height and width change places.
SIDES_SWAPPED = (5, 6, 7, 8)
EXIF_ORIENTATION = 0x0112
# Transposition that makes an image upright, by EXIF orientation.
UPRIGHT_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_INVERSE_TRANSPOSE = UPRIGHT_TRANSPOSE | {
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def orientation_of(image: Image.Image) -> int:
    """Read the EXIF orientation; ignore a damaged tag, as image viewers do."""
    try:
        tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else image.getexif()
        return int((tags or {}).get(EXIF_ORIENTATION, 1))
    except (struct.error, TypeError, ValueError, KeyError, SyntaxError):
        return 1


def transposition_of(image: Image.Image, *, is_applied: bool) -> Image.Transpose | None:
    """Return how to turn a loaded image, so that it is upright or as it is stored.

    Args:
        image: An image, whose orientation was read before it was loaded.
        is_applied: Whether the EXIF orientation is applied.
    """
    orientation = orientation_of(image)
    if image.format == "TIFF":
        # Pillow makes a TIFF upright when it loads it.
        return None if is_applied else _INVERSE_TRANSPOSE.get(orientation)
    return UPRIGHT_TRANSPOSE.get(orientation) if is_applied else None


def upright_pixels(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn stored pixels `(H, W, B)` as their EXIF orientation says."""
    if orientation in SIDES_SWAPPED:
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])
