"""Decoding of image files of all supported formats."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.bands import bands_header, bands_of_pil, header_of, read_bands
from sceneparse.data.io.image_reading import DEFAULT_READING, ImageHeader, ImageReading
from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import (
    UnknownFormatError,
    check_pixels,
    errors_of,
    name_of,
    open_image,
)
from sceneparse.data.io.orientation import (
    SIDES_SWAPPED,
    UPRIGHT_TRANSPOSE,
    orientation_of,
    transposition_of,
)
from sceneparse.data.io.stored_bands import check_bands, rgb_bands
from sceneparse.data.io.values import MODES_OF_32_BITS, bits_per_value, to_8_bit
from sceneparse.errors import InputError

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".avif"),
        *(".heic", ".heif", ".hif"),
        *(".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c", ".bmp", ".dib", ".gif", ".pcx", ".sgi"),
        *(".tga", ".icb", ".vda", ".vst", ".dds", ".ppm", ".pgm", ".pbm", ".pnm"),
    }
)
# Factors by which a JPEG decoder can divide the resolution.
JPEG_DIVISORS = (1, 2, 4, 8)
_RESAMPLING_MARGIN = 1.25


def read_image(
    source: Path | bytes,
    min_size: tuple[int, int] | None = None,
    reading: ImageReading = DEFAULT_READING,
) -> NDArray[np.uint8]:
    """Read an image file as an upright array of 8 bits, RGB `(H, W, 3)` or the chosen bands.

    Grey, palette, 16-bit and CMYK images are converted to RGB, transparent pixels are blended with
    white, and the EXIF orientation is applied. Chosen bands are neither converted nor blended.

    Args:
        source: A file, or the bytes of one.
        min_size: Minimum height and width: a JPEG is decoded at a half, a quarter or an eighth of
            its resolution if `jpeg_divisor` allows it. None: full resolution, as with bands.
        reading: How values, orientation and bands are read.

    Returns:
        `(H, W, 3)`, or `(H, W, len(reading.bands))`.

    Raises:
        InputError: If the file cannot be read as an image, or lacks a band.
    """
    if reading.bands is not None:
        return read_bands(source, reading.bands, reading)
    try:
        with open_image(source) as image:
            return _read_opened(source, image, min_size, reading)
    except UnknownFormatError:
        bands = rgb_bands(source)
        if bands is None:
            raise
        return read_bands(source, bands, reading)


def _read_opened(
    source: Path | bytes,
    image: Image.Image,
    min_size: tuple[int, int] | None,
    reading: ImageReading,
) -> NDArray[np.uint8]:
    """Read an image that Pillow has opened as RGB."""
    name = name_of(source)
    check_bands(name, source, image)
    bits = bits_per_value(image)  # Reading EXIF data may decode the image and forget them.
    orientation = orientation_of(image) if reading.applies_orientation else 1
    divisor = 1
    if min_size is not None:
        width, height = image.size
        upright = (width, height) if orientation in SIDES_SWAPPED else (height, width)
        divisor = jpeg_divisor(upright, min_size)
    if image.format == "JPEG" and image.mode in ("RGB", "L") and orientation == 1:
        pixels = decode_with_opencv(source, divisor)
        if pixels is not None:
            return _in_range(pixels, reading)
    image.draft(None, (image.width // divisor, image.height // divisor))
    if reading.value_range and bits == 16 and image.mode == "RGB":
        return _deep_rgb(name, source, image, reading)
    return _upright_rgb(name, image, reading)


def array_of_pil(image: Image.Image, reading: ImageReading = DEFAULT_READING) -> NDArray[np.uint8]:
    """Convert a PIL image to an upright array, as `read_image` does with a file.

    Raises:
        InputError: If it is too large, cannot be loaded, is grey of 32 bits, or lacks a band.
    """
    name = f"PIL image ({image.mode}, {image.width}×{image.height})"
    if reading.bands is not None:
        return bands_of_pil(name, image, reading.bands, reading)
    with errors_of(name):
        check_pixels(name, image.width, image.height)
        check_bands(name, None, image)
        return _upright_rgb(name, image, reading)


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


def image_size(source: Path | bytes, reading: ImageReading = DEFAULT_READING) -> tuple[int, int]:
    """Read the height and width of an image, as it is read, from its header.

    Raises:
        InputError: If the file is not an image, or has a format that `read_image` refuses.
    """
    return image_header(source, reading).size(reading)


def image_header(source: Path | bytes, reading: ImageReading = DEFAULT_READING) -> ImageHeader:
    """Read the header of an image.

    Raises:
        InputError: If the file is not an image, or has a format that `read_image` refuses.
    """
    if reading.bands is not None:
        return bands_header(source, reading.bands, reading)
    try:
        with open_image(source) as image:
            check_bands(name_of(source), source, image)
            _check_depth(name_of(source), image, reading)
            return header_of(image)
    except UnknownFormatError:
        bands = rgb_bands(source)
        if bands is None:
            raise
        return bands_header(source, bands, reading)


def _check_depth(name: str, image: Image.Image, reading: ImageReading) -> None:
    if image.mode in MODES_OF_32_BITS and reading.value_range is None:
        raise InputError(
            f"{name}: grey of 32 bits (mode {image.mode}), whose range of values is unknown; "
            "expected at most 16 bits; set data.image_range to the values that become black and "
            "white, or convert it to an 8-bit PNG or JPEG"
        )


def _upright_rgb(name: str, image: Image.Image, reading: ImageReading) -> NDArray[np.uint8]:
    _check_depth(name, image, reading)
    transposition = transposition_of(image, is_applied=reading.applies_orientation)
    image.load()
    upright = image if transposition is None else image.transpose(transposition)
    if upright.mode.startswith("I;16") or upright.mode in MODES_OF_32_BITS:
        return _grey_rgb(to_8_bit(np.asarray(upright), reading.value_range or (0, 65535)))
    return _in_range(np.array(_rgb(upright)), reading)


def _deep_rgb(
    name: str, source: Path | bytes, image: Image.Image, reading: ImageReading
) -> NDArray[np.uint8]:
    """Read RGB of 16 bits, of which Pillow keeps the upper 8."""
    values = decode_with_opencv(source, None)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise InputError(
            f"{name}: RGB of 16 bits; data.image_range needs OpenCV to read it; install it with "
            "`pip install opencv-python-headless`, or convert the image to 8 bits"
        )
    pixels = to_8_bit(values[..., 2::-1], reading.value_range or (0, 65535))
    transposition = None
    if reading.applies_orientation:
        transposition = UPRIGHT_TRANSPOSE.get(orientation_of(image))
    if transposition is None:
        return np.ascontiguousarray(pixels)
    return np.array(Image.fromarray(np.ascontiguousarray(pixels)).transpose(transposition))


def _rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    # `convert` would copy an image that is RGB already.
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=2)


def _in_range(pixels: NDArray[np.uint8], reading: ImageReading) -> NDArray[np.uint8]:
    """Stretch a range of 8-bit values to 0..255."""
    if reading.value_range is None:
        return pixels
    return to_8_bit(np.arange(256), reading.value_range)[pixels]
