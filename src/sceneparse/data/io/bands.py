"""Reading of chosen bands of image files, as they are stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.geotiff import (
    INSTALL,
    chunks_of_bands,
    described_bands,
    rasterio_installed,
)
from sceneparse.data.io.opencv import decode_with_opencv
from sceneparse.data.io.opening import (
    UnknownFormat,
    check_values,
    errors_of,
    name_of,
    open_image,
)
from sceneparse.data.io.orientation import (
    SIDES_SWAPPED,
    orientation_of,
    transposition_of,
    upright_pixels,
)
from sceneparse.data.io.reading import ImageHeader, ImageReading
from sceneparse.data.io.tiff_tags import ASSOCIATED_ALPHA, TiffTags, read_tiff_tags, tags_of
from sceneparse.data.io.values import bands_to_8_bit, bits_per_value
from sceneparse.errors import InputError

_DEEP, _RGB, _RGBA = 16, 3, 4
# An error lists at most this many bands.
_LISTED = 16
# Channels of OpenCV in the order of the file, by their number.
_ORDER_OF_OPENCV = {_RGB: [2, 1, 0], _RGBA: [2, 1, 0, 3]}


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
        with open_image(source) as image:
            return _bands_of_file(source, image, bands, reading)
    name = name_of(source)
    _check_chosen(name, source, bands, tags.bands)
    _check_tags(name, tags, len(bands), reading)
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
        _check_chosen(name, source, bands, tags.bands)
        _check_tags(name, tags, len(bands), reading)
        bits = 8 if tags.bits <= 8 else _DEEP if tags.bits <= _DEEP else 32
        return ImageHeader(tags.height, tags.width, tags.orientation, bits)
    with open_image(source) as image:
        _check_image(name, source, image, bands, reading)
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
        _check_image(name, None, image, bands, reading)
        return _loaded_bands(image, bands, reading)


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
    with open_image(source) as image:
        # Pillow keeps the upper 8 of 16 bits of colours.
        factor = 257.0 if bits_per_value(image) == _DEEP and len(image.getbands()) > 1 else 1.0
        return factor * float(np.asarray(image).max(initial=0))


def undecodable_tags(source: Path | bytes) -> TiffTags | None:
    """Return the tags of a TIFF file of which Pillow does not show all bands as they are stored.

    Returns:
        None for files of other formats, and for those that Pillow decodes.

    Raises:
        InputError: If the file cannot be opened, or is too large.
    """
    with errors_of(name_of(source)):
        tags = read_tiff_tags(source)
    if tags is None:
        return None
    try:
        with open_image(source) as image:
            return None if shows_all(image, tags) else tags
    except UnknownFormat:
        return tags


def shows_all(image: Image.Image, tags: TiffTags) -> bool:
    """Return whether Pillow shows all bands of a TIFF file, as they are stored."""
    # Pillow divides colours by a transparency that they were multiplied with.
    is_multiplied = tags.extra[:1] == (ASSOCIATED_ALPHA,)
    return len(image.getbands()) == tags.bands and tags.suits_pillow and not is_multiplied


def check_bands(name: str, source: Path | bytes | None, image: Image.Image) -> None:
    """Refuse a file with bands that are neither colours nor declared as transparency.

    Args:
        name: Name of the image, for messages.
        source: Its file, or the bytes of it, if there is one.
        image: The image, opened.

    Raises:
        UnknownFormat: If Pillow would garble it.
        InputError: If it is such a TIFF.
    """
    directory = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or directory is None or image.mode in ("P", "PA"):
        return
    tags = tags_of(directory)
    if tags.bands in (1, _RGB) and (tags.bands > len(image.getbands()) or not tags.suits_pillow):
        raise UnknownFormat(f"{name}: bands of {tags.bits} bits in an order that Pillow garbles")
    hides_some = tags.bands > len(image.getbands())
    if hides_some or (tags.is_rgb and tags.bands == _RGBA and not tags.has_alpha):
        raise _undeclared_bands(name, source, tags)


def rgb_bands(source: Path | bytes) -> tuple[int, int, int] | None:
    """Return the bands that are RGB, or grey, in a TIFF file that Pillow does not decode.

    Returns:
        None if it is no TIFF file.

    Raises:
        InputError: If its bands may be anything.
    """
    tags = read_tiff_tags(source)
    if tags is None:
        return None
    match tags.bands:
        case 1:
            return 1, 1, 1
        case 3:
            return 1, 2, 3
        case _:
            raise _undeclared_bands(name_of(source), source, tags)


def _undeclared_bands(name: str, source: Path | bytes | None, tags: TiffTags) -> InputError:
    """Return the error that a file does not say which of its bands are colours."""
    return InputError(
        f"{name}: {tags.bands} bands, and the file does not say which of them are colours or "
        f"transparency{_listing(source)}; set data.bands=[1, 2, 3], or those that you want; for a "
        "model without data.bands, save a file of its three"
    )


def _listing(source: Path | bytes | None) -> str:
    """List the bands of a TIFF file by name, after a colon, if rasterio can read their names."""
    if source is None or not rasterio_installed() or read_tiff_tags(source) is None:
        return ""
    try:
        bands = described_bands(source)
    except InputError:
        return ""
    more = ", …" if len(bands) > _LISTED else ""
    return f": {', '.join(bands[:_LISTED])}{more}"


def _check_chosen(name: str, source: Path | bytes | None, bands: Sequence[int], count: int) -> None:
    missing = [band for band in bands if band > count]
    if missing:
        noun = "band" if count == 1 else "bands"
        raise InputError(
            f"{name}: no band {missing[0]}; the file has {count} {noun}{_listing(source)}; change "
            "data.bands, or give files that have all bands of the model"
        )


def _check_tags(name: str, tags: TiffTags, bands: int, reading: ImageReading) -> None:
    """Check the size and the type of values of a file that Pillow does not decode."""
    check_values(name, tags.height, tags.width, bands)
    if reading.value_range is None and not (tags.is_unsigned and tags.bits <= _DEEP):
        kind = "unsigned integers" if tags.is_unsigned else "signed integers or floats"
        raise _unknown_range(name, f"{kind} of {tags.bits} bits")


def _check_image(
    name: str,
    source: Path | bytes | None,
    image: Image.Image,
    bands: Sequence[int],
    reading: ImageReading,
) -> None:
    """Check the bands, the size and the type of values of a file that Pillow decodes."""
    check_values(name, image.height, image.width, len(bands))
    if image.mode in ("P", "PA"):
        raise InputError(
            f"{name}: a palette image, whose one band holds indices of colours; leave out "
            "data.bands, or convert it to RGB"
        )
    _check_chosen(name, source, bands, len(image.getbands()))
    bits = bits_per_value(image)
    if bits > _DEEP and reading.value_range is None:
        raise _unknown_range(name, f"values of {bits} bits (mode {image.mode})")


def _unknown_range(name: str, values: str) -> InputError:
    return InputError(
        f"{name}: {values}, whose range is unknown; expected unsigned integers of at most 16 bits; "
        "set data.image_range to the values that become 0 and 255"
    )


def _bands_of_file(
    source: Path | bytes, image: Image.Image, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    """Read bands of a file that Pillow has opened."""
    name = name_of(source)
    _check_image(name, source, image, bands, reading)
    is_cut = bits_per_value(image) == _DEEP and not image.mode.startswith("I")
    if not is_cut or reading.value_range is None:
        return _loaded_bands(image, bands, reading)
    # Of several bands of 16 bits, Pillow keeps the upper 8.
    orientation = orientation_of(image)
    tags = read_tiff_tags(source)
    if tags is not None:
        pixels = _stored_pixels(source, tags, bands, reading)
    else:
        values = _with_opencv(name, source, len(image.getbands()))
        pixels = _chosen(values, bands, reading)
    return upright_pixels(pixels, orientation) if reading.applies_orientation else pixels


def _loaded_bands(
    image: Image.Image, bands: Sequence[int], reading: ImageReading
) -> NDArray[np.uint8]:
    transposition = transposition_of(image, is_applied=reading.applies_orientation)
    image.load()
    upright = image if transposition is None else image.transpose(transposition)
    values = np.asarray(upright.convert("L") if upright.mode == "1" else upright)
    return _chosen(values if values.ndim == 3 else values[..., None], bands, reading)


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
        if not (tags.is_rgb and tags.bits == _DEEP and not tags.is_planar):
            raise _needs_rasterio(name, tags)
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


def _needs_rasterio(name: str, tags: TiffTags) -> InputError:
    return InputError(
        f"{name}: a TIFF of {tags.bands} bands of {tags.bits} bits, which needs rasterio: "
        f"`{INSTALL}`"
    )
