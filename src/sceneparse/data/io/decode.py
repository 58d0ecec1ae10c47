"""Decoding of image files of all supported formats."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import check_pixels, errors_of, name_of, open_image
from sceneparse.errors import InputError

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".avif"),
        *(".heic", ".heif", ".hif"),
        *(".jp2", ".j2k", ".bmp", ".dib", ".gif", ".tga", ".ppm", ".pgm", ".pbm", ".pnm"),
    }
)
# Factors by which a JPEG decoder can divide the resolution.
JPEG_DIVISORS = (1, 2, 4, 8)
_RESAMPLING_MARGIN = 1.25


@dataclass(frozen=True)
class ImageReading:
    """How image files become RGB of 8 bits.

    Attributes:
        applies_orientation: Whether images are turned as their EXIF orientation says.
        value_range: The values of a file that become 0 and 255; values outside are clipped. None:
            the smallest and the largest number that the file can hold.
    """

    applies_orientation: bool = True
    value_range: tuple[float, float] | None = None


DEFAULT_READING = ImageReading()


class ImageHeader(NamedTuple):
    """What the header of an image file says.

    Attributes:
        height: Height of the stored pixels, before they are turned.
        width: Width of the stored pixels.
        orientation: EXIF orientation, 1 for upright (EXIF 2.32, tag 0x0112).
        bits: Bits per value: 8, 16 or 32.
    """

    height: int
    width: int
    orientation: int
    bits: int

    def size(self, reading: ImageReading = DEFAULT_READING) -> tuple[int, int]:
        """Return height and width of the image as it is read."""
        if reading.applies_orientation and self.orientation in _SIDES_SWAPPED:
            return self.width, self.height
        return self.height, self.width


def read_image(
    source: Path | bytes,
    min_size: tuple[int, int] | None = None,
    reading: ImageReading = DEFAULT_READING,
) -> NDArray[np.uint8]:
    """Read an image file as an upright RGB array, uint8 `(H, W, 3)` in 0..255.

    Grey, palette, 16-bit and CMYK images are converted to RGB, transparent pixels are blended with
    white, and the EXIF orientation is applied.

    Args:
        source: A file, or the bytes of one.
        min_size: Minimum height and width: a JPEG is decoded at a half, a quarter or an eighth of
            its resolution if `jpeg_divisor` allows it. None: full resolution.
        reading: How values and orientation are read.

    Raises:
        InputError: If the file cannot be read as an image.
    """
    name = name_of(source)
    with open_image(source) as image:
        check_bands(name, image)
        bits = bits_per_value(image)  # Reading EXIF data may decode the image and forget them.
        orientation = _orientation(image) if reading.applies_orientation else 1
        divisor = 1
        if min_size is not None:
            width, height = image.size
            upright = (width, height) if orientation in _SIDES_SWAPPED else (height, width)
            divisor = jpeg_divisor(upright, min_size)
        if image.format == "JPEG" and image.mode in ("RGB", "L") and orientation == 1:
            pixels = decode_with_opencv(source, divisor)
            if pixels is not None:
                return _in_range(pixels, reading)
        image.draft(None, (image.width // divisor, image.height // divisor))
        if reading.value_range and bits == 16 and image.mode == "RGB":
            return _deep_rgb(name, source, image, reading)
        return _upright_rgb(name, image, reading)


def rgb_of_pil(image: Image.Image, reading: ImageReading = DEFAULT_READING) -> NDArray[np.uint8]:
    """Convert a PIL image to an upright RGB array, as `read_image` does with a file.

    Raises:
        InputError: If it is too large, cannot be loaded, or is grey of 32 bits.
    """
    name = f"PIL image ({image.mode}, {image.width}×{image.height})"
    with errors_of(name):
        check_pixels(name, image.width, image.height)
        check_bands(name, image)
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


def image_size(path: Path, reading: ImageReading = DEFAULT_READING) -> tuple[int, int]:
    """Read the height and width of an image, as it is read, from its header.

    Raises:
        InputError: If the file is not an image, or has a format that `read_image` refuses.
    """
    return image_header(path, reading).size(reading)


def image_header(path: Path, reading: ImageReading = DEFAULT_READING) -> ImageHeader:
    """Read the header of an image.

    Raises:
        InputError: If the file is not an image, or has a format that `read_image` refuses.
    """
    with open_image(path) as image:
        check_bands(str(path), image)
        _check_depth(str(path), image, reading)
        bits = bits_per_value(image)
        # Reading EXIF data at the end of a PNG would decode the whole image.
        has_exif = image.format != "PNG" or "exif" in image.info
        orientation = _orientation(image) if has_exif else 1
        height, width = image.height, image.width
        if image.format == "TIFF" and orientation in _SIDES_SWAPPED:
            height, width = width, height  # Pillow reports the size after its own turn.
        return ImageHeader(height, width, orientation, bits)


def bits_per_value(image: Image.Image) -> int:
    """Return how many bits each value of an opened file has: 8, 16 or 32."""
    if image.mode in _32_BIT_MODES:
        return 32
    tiles = getattr(image, "tile", None)
    is_deep = image.mode.startswith("I;16") or (tiles and ";16" in str(tiles[0].args))
    return 16 if is_deep else 8


def check_bands(name: str, image: Image.Image) -> None:
    """Refuse a file whose fourth band might be infrared, and might be transparency.

    Raises:
        InputError: If it is a TIFF with more bands than colours, and does not say what they are.
    """
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None or tags.get(_PHOTOMETRIC) != _PHOTOMETRIC_RGB:
        return
    bands, extra = tags.get(_SAMPLES_PER_PIXEL, 1), tags.get(_EXTRA_SAMPLES, ())
    if bands > 4 or (bands == 4 and tuple(extra)[:1] not in ((1,), (2,))):
        raise InputError(
            f"{name}: {bands} bands, and the file does not say that the fourth is transparency; "
            "expected RGB, or RGB with a declared alpha channel; save the three bands to use"
        )


_EXIF_ORIENTATION = 0x0112
# TIFF 6.0: kind of colours, number of bands, and what the bands beyond the colours mean.
_PHOTOMETRIC, _PHOTOMETRIC_RGB, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 262, 2, 277, 338
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
_INVERSE_TRANSPOSE = _UPRIGHT_TRANSPOSE | {
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
_SIDES_SWAPPED = (5, 6, 7, 8)
_32_BIT_MODES = frozenset({"I", "F"})


def _check_depth(name: str, image: Image.Image, reading: ImageReading) -> None:
    if image.mode in _32_BIT_MODES and reading.value_range is None:
        raise InputError(
            f"{name}: grey of 32 bits (mode {image.mode}), whose range of values is unknown; "
            "expected at most 16 bits; set data.image_range to the values that become black and "
            "white, or convert it to an 8-bit PNG or JPEG"
        )


def _upright_rgb(name: str, image: Image.Image, reading: ImageReading) -> NDArray[np.uint8]:
    _check_depth(name, image, reading)
    transposition = _transposition(image, reading)
    image.load()
    upright = image if transposition is None else image.transpose(transposition)
    if upright.mode.startswith("I;16") or upright.mode in _32_BIT_MODES:
        return _grey_rgb(to_8_bit(np.asarray(upright), reading.value_range or (0, 65535)))
    return _in_range(np.array(_rgb(upright)), reading)


def _transposition(image: Image.Image, reading: ImageReading) -> Image.Transpose | None:
    """Return how to turn a loaded image, so that it is upright or as it is stored."""
    orientation = _orientation(image)
    if image.format == "TIFF":
        # Pillow makes a TIFF upright when it loads it.
        return None if reading.applies_orientation else _INVERSE_TRANSPOSE.get(orientation)
    return _UPRIGHT_TRANSPOSE.get(orientation) if reading.applies_orientation else None


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
        transposition = _UPRIGHT_TRANSPOSE.get(_orientation(image))
    if transposition is None:
        return np.ascontiguousarray(pixels)
    return np.array(Image.fromarray(np.ascontiguousarray(pixels)).transpose(transposition))


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; ignore a damaged tag, as image viewers do."""
    try:
        tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else image.getexif()
        return int((tags or {}).get(_EXIF_ORIENTATION, 1))
    except (struct.error, TypeError, ValueError, KeyError, SyntaxError):
        return 1


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


def to_8_bit(values: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.uint8]:
    """Scale a range of values to 0..255; values outside are clipped."""
    low, high = value_range
    scaled = (values.astype(np.float64) - low) * (255 / (high - low))
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
