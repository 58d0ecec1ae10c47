"""Reading of chosen bands of image files, as they are stored."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.geotiff import chunks_of_bands, rasterio_installed
from sceneparse.data.io.image_reading import ImageHeader, ImageReading
from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import errors_of, name_of, open_image, pages_of
from sceneparse.data.io.orientation import (
    SIDES_SWAPPED,
    orientation_of,
    transposition_of,
    upright_pixels,
)
from sceneparse.data.io.stored_bands import (
    check_chosen,
    check_image,
    check_tags,
    undecodable_tags,
)
from sceneparse.data.io.tiff_tags import TiffTags, read_tiff_tags
from sceneparse.data.io.values import bands_to_8_bit, bits_per_value
from sceneparse.errors import InputError

_DEEP = 16
# Channels of OpenCV in the order of the file, by their number.
_ORDER_OF_OPENCV = {3: [2, 1, 0], 4: [2, 1, 0, 3]}


def read_bands(
    source: Path | bytes, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    """Read bands of an image file, without blending or converting them.

    Args:
        source: A file, or the bytes of one.
        bands: The bands, in this order, numbered from 1.
        reading: How values and orientation are read.

    Returns:
        `(H, W, len(bands))` in 0..255.

    Raises:
        InputError: If the file cannot be read, or lacks a band.
    """
    tags = undecodable_tags(source)
    if tags is None:
        with open_image(source, may_have_pages=True) as image:
            return _bands_of_file(source, image, bands, reading)
    name = name_of(source)
    check_chosen(name, source, bands, tags.bands)
    check_tags(name, tags, len(bands), reading)
    pixels = _stored_pixels(source, tags, bands, reading)
    return upright_pixels(pixels, tags.orientation) if reading.applies_orientation else pixels


def bands_header(source: Path | bytes, bands: Sequence[int], reading: ImageReading) -> ImageHeader:
    """Read the header of an image, and check that its bands can be read.

    Raises:
        InputError: If the file is not an image, or `read_bands` refuses it.
    """
    name = name_of(source)
    tags = undecodable_tags(source)
    if tags is not None:
        check_chosen(name, source, bands, tags.bands)
        check_tags(name, tags, len(bands), reading)
        bits = 8 if tags.bits <= 8 else _DEEP if tags.bits <= _DEEP else 32
        return ImageHeader(tags.height, tags.width, tags.orientation, bits)
    with open_image(source, may_have_pages=True) as image:
        check_image(name, source, image, bands, reading)
        return header_of(image)


def header_of(image: Image.Image) -> ImageHeader:
    """Return the header of an image that Pillow has opened."""
    bits = bits_per_value(image)
    # Reading EXIF data at the end of a PNG would decode the whole image.
    has_exif = image.format != "PNG" or "exif" in image.info
    orientation = orientation_of(image) if has_exif else 1
    height, width = image.height, image.width
    if image.format == "TIFF" and orientation in SIDES_SWAPPED:
        height, width = width, height  # Pillow reports the size after its own turn.
    return ImageHeader(height, width, orientation, bits)


def bands_of_pil(
    name: str, image: Image.Image, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    """Return bands of a PIL image `(H, W, len(bands))`, as `read_bands` does with a file.

    Raises:
        InputError: If it is too large, cannot be loaded, or lacks a band.
    """
    with errors_of(name):
        check_image(name, None, image, bands, reading)
        return _loaded_bands(name, image, bands, reading)


def highest_value(source: Path | bytes, bands: Sequence[int] | None) -> float:
    """Return the largest value in bands of a file, as it is stored.

    Args:
        source: A file, or the bytes of one.
        bands: The bands; none for all.

    Raises:
        InputError: If the file cannot be read.
    """
    tags = undecodable_tags(source)
    if tags is not None:
        chunks = chunks_of_bands(source, sorted(set(bands or range(1, tags.bands + 1))))
        return max((float(values.max()) for _, values in chunks), default=0.0)
    with open_image(source, may_have_pages=True) as image:
        if len(pages_of(image)) > 1:
            pages = _pages(name_of(source), image, bands or (1,))
            return max((float(page.max(initial=0)) for page in pages), default=0.0)
        # Pillow keeps the upper 8 of 16 bits of colours.
        factor = 257.0 if bits_per_value(image) == _DEEP and len(image.getbands()) > 1 else 1.0
        return factor * float(np.asarray(image).max(initial=0))


def _bands_of_file(
    source: Path | bytes, image: Image.Image, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    """Read bands of a file that Pillow has opened."""
    name = name_of(source)
    check_image(name, source, image, bands, reading)
    is_cut = bits_per_value(image) == _DEEP and not image.mode.startswith("I")
    if not is_cut or reading.value_range is None:
        return _loaded_bands(name, image, bands, reading)
    # Of several bands of 16 bits, Pillow keeps the upper 8.
    orientation = orientation_of(image)
    tags = read_tiff_tags(source)
    if tags is not None:
        check_tags(name, tags, len(bands), reading)
        pixels = _stored_pixels(source, tags, bands, reading)
    else:
        values = _with_opencv(name, source, len(image.getbands()))
        pixels = _chosen(values, bands, reading)
    return upright_pixels(pixels, orientation) if reading.applies_orientation else pixels


def _loaded_bands(
    name: str, image: Image.Image, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    if len(pages_of(image)) > 1:
        pages = _pages(name, image, bands, is_upright=reading.applies_orientation)
        return np.stack([bands_to_8_bit(page, reading.value_range) for page in pages], axis=-1)
    values = _loaded(image, is_upright=reading.applies_orientation)
    return _chosen(values if values.ndim == 3 else values[..., None], bands, reading)


def _loaded(image: Image.Image, *, is_upright: bool) -> NDArray[Any]:
    transposition = transposition_of(image, is_applied=is_upright)
    image.load()
    upright = image if transposition is None else image.transpose(transposition)
    return np.asarray(upright.convert("L") if upright.mode == "1" else upright)


def _pages(
    name: str, image: Image.Image, bands: Sequence[int], *, is_upright: bool = True
) -> Generator[NDArray[Any]]:
    """Yield the pages `(H, W)` of a TIFF as its bands, as microscopes store them."""
    numbers, mode, size = pages_of(image), image.mode, image.size
    for band in bands:
        image.seek(numbers[band - 1])
        if image.mode != mode or image.size != size:
            raise InputError(
                f"{name}: page {band} has mode {image.mode} and {image.width}×{image.height} "
                f"pixels, page 1 mode {mode} and {size[0]}×{size[1]}; expected pages of one kind; "
                "save each as a file of its own"
            )
        yield _loaded(image, is_upright=is_upright)


def _chosen(values: NDArray[Any], bands: Sequence[int], reading: ImageReading) -> NDArray[np.uint8]:
    """Choose bands of stored values `(H, W, C)`, and scale them to 8 bits."""
    chosen = values[..., [band - 1 for band in bands]]
    return np.ascontiguousarray(bands_to_8_bit(chosen, reading.value_range))


def _stored_pixels(
    source: Path | bytes, tags: TiffTags, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    """Read bands of a TIFF file, before it is turned, with rasterio or else with OpenCV."""
    name = name_of(source)
    if not rasterio_installed():
        return _chosen(_with_opencv(name, source, tags.bands), bands, reading)
    pixels = np.empty((tags.height, tags.width, len(bands)), np.uint8)
    with errors_of(name):
        for rows, values in chunks_of_bands(source, bands):
            pixels[rows] = bands_to_8_bit(np.moveaxis(values, 0, 2), reading.value_range)
    return pixels


def _with_opencv(name: str, source: Path | bytes, count: int) -> NDArray[Any]:
    """Read the values of a file of three or four bands of 16 bits, in the order of the file."""
    values = decode_with_opencv(source, None)
    order = _ORDER_OF_OPENCV.get(count)
    if order is None or values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise InputError(
            f"{name}: {count} bands of 16 bits, which could not be read; install OpenCV with "
            "`pip install opencv-python-headless`, or save it as a TIFF"
        )
    return values[..., order]
