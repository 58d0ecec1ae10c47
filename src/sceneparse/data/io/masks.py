"""Decoding of mask files that hold ids."""

from pathlib import Path

import numpy as np
from PIL import Image

from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import open_image
from sceneparse.errors import InputError
from sceneparse.labels import Mask

# JPEG masks are listed so that pairing finds them, and reading refuses them with the reason.
MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})
_INDEX_MODES = frozenset({"1", "L", "P", "I;16", "I;16B", "I"})


def read_mask(path: Path) -> Mask:
    """Read a mask file of ids as raw ids `(H, W)`, uint8 or uint16.

    Raises:
        InputError: If the file cannot be read, or holds colours instead of ids.
    """
    with open_image(path) as image:
        check_mask_kind(path, image)
        multiplier = _grey_multiplier(image)
        if image.format == "PNG" and image.mode == "L" and multiplier == 1:
            ids = decode_with_opencv(path, None)
            if ids is not None and ids.shape == (image.height, image.width):
                return ids
        image.load()
        values = np.array(image)
    if multiplier > 1:
        return values // multiplier
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.kind == "u":
        return values
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise InputError(
            f"{path}: values {values.min()}..{values.max()} outside 0..65535; expected class ids "
            "in this range; renumber the classes of the mask"
        )
    return values.astype(np.uint16 if values.max(initial=0) > 255 else np.uint8)


def mask_size(path: Path) -> tuple[int, int]:
    """Read the height and width of a mask from its header, and check that it holds ids.

    Raises:
        InputError: If the file is not a mask of ids.
    """
    with open_image(path) as image:
        check_mask_kind(path, image)
        return image.height, image.width


def check_mask_kind(path: Path, image: Image.Image) -> None:
    """Check that a mask holds ids in a lossless format.

    Raises:
        InputError: If the mask holds colours or is a JPEG.
    """
    if image.format == "JPEG":
        raise InputError(
            f"{path}: a JPEG mask; expected a lossless format, since JPEG changes class ids; "
            "store masks as PNG"
        )
    if image.mode not in _INDEX_MODES:
        raise InputError(
            f"{path}: a mask of colours (mode {image.mode}); expected one class id per pixel "
            "(8- or 16-bit grey, or palette PNG); convert the colours to ids"
        )


def _grey_multiplier(image: Image.Image) -> int:
    """Return the factor by which Pillow scales the values of 2- and 4-bit grey to a byte."""
    tiles = getattr(image, "tile", None)
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0].args), 1) if tiles else 1
