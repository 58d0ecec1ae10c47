"""Decoding of mask files that hold ids."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import open_image
from sceneparse.errors import InputError
from sceneparse.labels import Mask

# JPEG masks are listed so that pairing finds them, and reading refuses them with the reason.
MASK_SUFFIXES = frozenset(
    {
        *(".png", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".tga", ".ppm", ".pgm", ".pbm", ".pnm"),
        *(".jpg", ".jpeg", ".jpe", ".jfif"),
    }
)
_INDEX_MODES = frozenset({"1", "L", "P", "I;16", "I;16B", "I", "F", "LA"})
# Some programs store grey in three equal channels, which only the pixels tell.
_COLOR_MODES = frozenset({"RGB", "RGBA"})


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
        values = _single_channel(path, np.array(image))
    if multiplier > 1:
        return values // multiplier
    return as_ids(path, values)


def as_ids(path: Path, values: NDArray[Any]) -> Mask:
    """Convert values of any type to ids, uint8 or uint16.

    Args:
        path: The mask file, for messages.
        values: `(H, W)`; floats must be whole numbers.

    Raises:
        InputError: If a value is no whole number in 0..65535.
    """
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.kind == "u":
        return values
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise InputError(
            f"{path}: a mask with fractions, such as {values[values != np.round(values)][0]:g}; "
            "expected class ids, which are whole numbers; store one id per pixel"
        )
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise InputError(
            f"{path}: values {values.min():g}..{values.max():g} outside 0..65535; expected class "
            "ids in this range; renumber the classes of the mask"
        )
    return values.astype(np.uint16 if values.max(initial=0) > 255 else np.uint8)


def _single_channel(path: Path, values: NDArray[Any]) -> NDArray[Any]:
    """Return the ids of a mask whose channels of grey are equal."""
    if values.ndim == 2:
        return values
    values = opaque(path, values)
    if values.shape[2] == 3 and not (values == values[..., :1]).all():
        raise InputError(
            f"{path}: a mask of colours; expected one class id per pixel (8- or 16-bit grey, or "
            "palette PNG); for your own data, write the colour of each class into labels.yaml"
        )
    return values[..., 0]


def opaque(path: Path, values: NDArray[Any]) -> NDArray[Any]:
    """Remove the alpha channel of a mask `(H, W, 2)` or `(H, W, 4)`.

    Raises:
        InputError: If a pixel is transparent.
    """
    if values.shape[2] in (2, 4):
        if (values[..., -1] != 255).any():
            raise InputError(
                f"{path}: a mask with transparent pixels, whose class is unknown; expected an id "
                "or a colour in each pixel; store the mask without transparency"
            )
        return values[..., :-1]
    return values


def mask_size(path: Path) -> tuple[int, int]:
    """Read the height and width of a mask from its header, and check that it holds ids.

    Raises:
        InputError: If the file is not a mask of ids.
    """
    with open_image(path) as image:
        check_mask_kind(path, image)
        return image.height, image.width


def check_mask_kind(path: Path, image: Image.Image) -> None:
    """Check that a mask has a lossless format that can hold ids or colours.

    Raises:
        InputError: If it has not.
    """
    if image.format == "JPEG":
        raise InputError(
            f"{path}: a JPEG mask; expected a lossless format, since JPEG changes class ids; "
            "store masks as PNG"
        )
    if image.mode not in _INDEX_MODES | _COLOR_MODES:
        raise InputError(
            f"{path}: a mask in mode {image.mode}; expected one class id per pixel (8- or 16-bit "
            "grey, or palette PNG), or the colours of the classes"
        )


def _grey_multiplier(image: Image.Image) -> int:
    """Return the factor by which Pillow scales the values of 2- and 4-bit grey to a byte."""
    tiles = getattr(image, "tile", None)
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0].args), 1) if tiles else 1
