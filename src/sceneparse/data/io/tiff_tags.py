"""The tags of TIFF files, also of those that Pillow cannot decode."""

import struct
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sceneparse.data.io.orientation import EXIF_ORIENTATION

# TIFF 6.0: the tags used here, and some of their values.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLE_FORMAT, _PLANAR = 256, 257, 258, 259, 339, 284
_PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 262, 277, 338
_UNCOMPRESSED, _UNSIGNED, _IN_ONE_PLANE, _SEPARATE_PLANES = 1, 1, 1, 2
_RGB = 2
ASSOCIATED_ALPHA, UNASSOCIATED_ALPHA = 1, 2
# GeoTIFF 1.1: tie points, and the whole affine map.
_GEOREFERENCE = (33922, 34264)
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class TiffTags(NamedTuple):
    """What the header of a TIFF file says.

    Attributes:
        height: Height of the stored pixels.
        width: Width of the stored pixels.
        bands: Number of bands.
        bits: Bits per value.
        is_unsigned: Whether values are unsigned integers.
        is_rgb: Whether the first three bands are red, green and blue.
        is_planar: Whether each band is stored by itself.
        is_compressed: Whether the values are compressed.
        extra: What each band beyond the colours is, as TIFF 6.0 numbers it; 0 for unspecified.
        orientation: EXIF orientation; 1 for upright.
        is_georeferenced: Whether the file says where on Earth it lies.
    """

    height: int
    width: int
    bands: int
    bits: int
    is_unsigned: bool
    is_rgb: bool
    is_planar: bool
    is_compressed: bool
    extra: tuple[int, ...]
    orientation: int
    is_georeferenced: bool

    @property
    def suits_pillow(self) -> bool:
        """Whether Pillow decodes the layout; it garbles uncompressed planes of 16 bits."""
        return not self.is_planar or self.is_compressed or self.bits != 16

    @property
    def suits_opencv(self) -> bool:
        """Whether OpenCV decodes all bands as they are stored: RGB of 16 bits, and one more."""
        is_deep = self.is_unsigned and self.bits == 16
        return self.is_rgb and is_deep and self.bands in (3, 4) and not self.is_planar

    @property
    def has_alpha(self) -> bool:
        """Whether the file says that the band after the colours is transparency."""
        return self.extra[:1] in ((ASSOCIATED_ALPHA,), (UNASSOCIATED_ALPHA,))


def read_tiff_tags(source: Path | bytes) -> TiffTags | None:
    """Read the tags of the first page of a TIFF file; none if it is no TIFF, or broken.

    Args:
        source: A file, or the bytes of one.

    Raises:
        OSError: If the file cannot be opened.
    """
    if isinstance(source, bytes):
        if source[:4] not in _SIGNATURES:
            return None
        return _first_page(BytesIO(source))
    with source.open("rb") as file:
        return _first_page(file)


def _first_page(file: IO[bytes]) -> TiffTags | None:
    header = file.read(8)
    if header[:4] not in _SIGNATURES:
        return None
    if b"+" in header[2:4]:  # BigTIFF has offsets of 8 bytes.
        header += file.read(8)
    try:
        directory = ImageFileDirectory_v2(header)
        file.seek(directory.next)
        directory.load(file)
        return tags_of(directory)
    except (struct.error, OSError, SyntaxError, ValueError, TypeError, KeyError, EOFError):
        return None


def tags_of(directory: ImageFileDirectory_v2) -> TiffTags:
    """Return what the directory of a page says."""
    orientation = directory.get(EXIF_ORIENTATION, 1)
    formats = _numbers(directory.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    return TiffTags(
        height=int(directory[_HEIGHT]),
        width=int(directory[_WIDTH]),
        bands=int(directory.get(_SAMPLES_PER_PIXEL, 1)),
        bits=max(_numbers(directory.get(_BITS, (1,)))),
        is_unsigned=all(each == _UNSIGNED for each in formats),
        is_rgb=directory.get(_PHOTOMETRIC) == _RGB,
        is_planar=directory.get(_PLANAR, _IN_ONE_PLANE) == _SEPARATE_PLANES,
        is_compressed=directory.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED,
        extra=_numbers(directory.get(_EXTRA_SAMPLES, ())),
        orientation=orientation if isinstance(orientation, int) else 1,
        is_georeferenced=any(tag in directory for tag in _GEOREFERENCE),
    )


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
