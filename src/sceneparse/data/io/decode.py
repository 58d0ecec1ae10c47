"""Decoding of image files of all supported formats."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import check_pixels, errors_of, name_of, open_image
from sceneparse.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
# Factors by which a JPEG decoder can divide the resolution.
JPEG_DIVISORS = (1, 2, 4, 8)
_RESAMPLING_MARGIN = 1.25


def read_image(source: Path | bytes, min_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read an image file as an upright RGB array, uint8 `(H, W, 3)` in 0..255.

    Grey, palette, 16-bit and CMYK images are converted to RGB, transparent pixels are blended with
    white, and the EXIF orientation is applied.

    Args:
        source: A file, or the bytes of one.
        min_size: Minimum height and width: a JPEG is decoded at a half, a quarter or an eighth of
            its resolution if `jpeg_divisor` allows it. None: full resolution.

    Raises:
        InputError: If the file cannot be read as an image.
    """
    with open_image(source) as image:
        orientation = _orientation_to_apply(image)
        divisor = 1
        if min_size is not None:
            width, height = image.size
            upright = (width, height) if orientation in _SIDES_SWAPPED else (height, width)
            divisor = jpeg_divisor(upright, min_size)
        if image.format == "JPEG" and image.mode in ("RGB", "L") and orientation == 1:
            pixels = decode_with_opencv(source, divisor)
            if pixels is not None:
                return pixels
        image.draft(None, (image.width // divisor, image.height // divisor))
        return _upright_rgb(name_of(source), image)


def rgb_of_pil(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a PIL image to an upright RGB array, as `read_image` does with a file.

    Raises:
        InputError: If it is too large, cannot be loaded, or is grey of 32 bits.
    """
    name = f"PIL image ({image.mode}, {image.width}×{image.height})"
    with errors_of(name):
        check_pixels(name, image.width, image.height)
        return _upright_rgb(name, image)


def jpeg_divisor(size: tuple[int, int], min_size: tuple[int, int]) -> int:
    """Return the factor 1, 2, 4 or 8 by which to divide the resolution of a JPEG.

    The decoded image is larger than `min_size` by a margin, since the resampling that follows has a
    better filter than the decoder.

    Args:
        size: Height and width of the image in pixels.
        min_size: Minimum height and width after decoding.
    """
    ratio = min(
        side / (_RESAMPLING_MARGIN * needed) for side, needed in zip(size, min_size, strict=True)
    )
    return max(divisor for divisor in JPEG_DIVISORS if divisor <= max(1.0, ratio))


def image_size(path: Path) -> tuple[int, int]:
    """Read the height and width of an upright image from its header.

    Raises:
        InputError: If the file is not an image, or has a format that `read_image` refuses.
    """
    with open_image(path) as image:
        _check_depth(str(path), image)
        width, height = image.size
        # Reading EXIF data at the end of a PNG would decode the whole image.
        has_exif = image.format != "PNG" or "exif" in image.info
        swaps_sides = has_exif and _orientation_to_apply(image) in _SIDES_SWAPPED
    return (width, height) if swaps_sides else (height, width)


_EXIF_ORIENTATION = 0x0112
# Transposition that makes an image upright, by EXIF orientation (EXIF 2.32, tag 0x0112).
_UPRIGHT_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = (5, 6, 7, 8)
_32_BIT_MODES = frozenset({"I", "F"})


def _check_depth(name: str, image: Image.Image) -> None:
    if image.mode in _32_BIT_MODES:
        raise InputError(
            f"{name}: grey of 32 bits (mode {image.mode}), whose range of values is unknown; "
            "expected at most 16 bits; convert it to an 8-bit PNG or JPEG"
        )


def _upright_rgb(name: str, image: Image.Image) -> NDArray[np.uint8]:
    _check_depth(name, image)
    transpose_method = _UPRIGHT_TRANSPOSE.get(_orientation_to_apply(image))
    image.load()
    return np.array(_rgb(image if transpose_method is None else image.transpose(transpose_method)))


def _orientation_to_apply(image: Image.Image) -> int:
    """Read the EXIF orientation; ignore a damaged tag, as image viewers do."""
    if image.format == "TIFF":
        return 1  # Pillow applies the orientation of a TIFF itself.
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (struct.error, TypeError, ValueError, KeyError, SyntaxError):
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    # `convert` would copy an image that is RGB already.
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 16-bit grey to 8 bits; Pillow's conversion would clip the values."""
    return np.clip(np.round(values.astype(np.float64) / 257), 0, 255).astype(np.uint8)
