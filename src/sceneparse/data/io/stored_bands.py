"""Which bands a file stores, what decodes them, and checks before they are read."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from sceneparse.data.io.geotiff import INSTALL, described_bands, rasterio_installed
from sceneparse.data.io.image_reading import ImageReading
from sceneparse.data.io.opening import (
    UnknownFormatError,
    check_values,
    errors_of,
    name_of,
    open_image,
    pages_of,
)
from sceneparse.data.io.tiff_tags import ASSOCIATED_ALPHA, TiffTags, read_tiff_tags, tags_of
from sceneparse.data.io.values import bits_per_value
from sceneparse.errors import InputError

_DEEP, _RGB, _RGBA = 16, 3, 4
# An error lists at most this many bands.
_LISTED = 16


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
        with open_image(source, may_have_pages=True) as image:
            return None if shows_all(image, tags) else tags
    except UnknownFormatError:
        return tags


def shows_all(image: Image.Image, tags: TiffTags) -> bool:
    """Return whether Pillow shows all bands of a TIFF file, as they are stored."""
    # Pillow divides colours by a transparency that they were multiplied with.
    is_multiplied = tags.extra[:1] == (ASSOCIATED_ALPHA,)
    return len(image.getbands()) == tags.bands and tags.suits_pillow and not is_multiplied


def band_count(image: Image.Image) -> int:
    """Return the number of bands that Pillow shows: those of the one page, or one of each page."""
    pages = len(pages_of(image)) if image.format == "TIFF" else 1
    return max(pages, len(image.getbands()))


def check_bands(name: str, source: Path | bytes | None, image: Image.Image) -> None:
    """Refuse a file with bands that are neither colours nor declared as transparency.

    Args:
        name: Name of the image, for messages.
        source: Its file, or the bytes of it, if there is one.
        image: The image, opened.

    Raises:
        UnknownFormatError: If Pillow would garble it.
        InputError: If it is such a TIFF.
    """
    directory = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or directory is None or image.mode in ("P", "PA"):
        return
    tags = tags_of(directory)
    if tags.bands in (1, _RGB) and (tags.bands > len(image.getbands()) or not tags.suits_pillow):
        raise UnknownFormatError(f"{name}: {tags.bits} bits in an order that Pillow garbles")
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


def check_chosen(name: str, source: Path | bytes | None, bands: Sequence[int], count: int) -> None:
    """Check that a file has the chosen bands.

    Args:
        name: Name of the image, for messages.
        source: Its file, or the bytes of it, if there is one.
        bands: The chosen bands, numbered from 1.
        count: Number of bands in the file.

    Raises:
        InputError: If it lacks one.
    """
    missing = [band for band in bands if band > count]
    if missing:
        noun = "band" if count == 1 else "bands"
        raise InputError(
            f"{name}: no band {missing[0]}; the file has {count} {noun}{_listing(source)}; change "
            "data.bands, or give files that have all bands of the model"
        )


def check_tags(name: str, tags: TiffTags, bands: int, reading: ImageReading) -> None:
    """Check that a TIFF that Pillow does not decode can be read, from its size and its values.

    Raises:
        InputError: If it cannot.
    """
    check_values(name, tags.height, tags.width, bands)
    if not rasterio_installed() and not tags.suits_opencv:
        raise InputError(
            f"{name}: a TIFF of {tags.bands} bands of {tags.bits} bits, which needs rasterio: "
            f"`{INSTALL}`"
        )
    if reading.value_range is None and not (tags.is_unsigned and tags.bits <= _DEEP):
        kind = "unsigned integers" if tags.is_unsigned else "signed integers or floats"
        raise _unknown_range(name, f"{kind} of {tags.bits} bits")


def check_image(
    name: str,
    source: Path | bytes | None,
    image: Image.Image,
    bands: Sequence[int],
    reading: ImageReading,
) -> None:
    """Check that bands of a file that Pillow decodes can be read, from its size and its values.

    Raises:
        InputError: If they cannot.
    """
    check_values(name, image.height, image.width, len(bands))
    if image.mode in ("P", "PA"):
        raise InputError(
            f"{name}: a palette image, whose one band holds indices of colours; leave out "
            "data.bands, or convert it to RGB"
        )
    check_chosen(name, source, bands, band_count(image))
    bits = bits_per_value(image)
    if bits > _DEEP and reading.value_range is None:
        raise _unknown_range(name, f"values of {bits} bits (mode {image.mode})")


def _unknown_range(name: str, values: str) -> InputError:
    return InputError(
        f"{name}: {values}, whose range is unknown; expected unsigned integers of at most 16 bits; "
        "set data.image_range to the values that become 0 and 255"
    )
