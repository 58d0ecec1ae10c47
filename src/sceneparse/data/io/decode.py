"""Decoding of image and mask files of all supported formats."""

import importlib
import importlib.util
import struct
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sceneparse.errors import InputError
from sceneparse.labels import Mask

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
# JPEG masks are listed so that pairing finds them, and reading refuses them with the reason.
MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})
# Factors by which a JPEG decoder can divide the resolution.
JPEG_DIVISORS = (1, 2, 4, 8)
_RESAMPLING_MARGIN = 1.25
# Larger images are refused before memory is allocated; Pillow warns of decompression bombs beyond.
MAX_PIXELS = 89_478_485


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
            pixels = _decode_with_opencv(source, divisor)
            if pixels is not None:
                return pixels
        image.draft(None, (image.width // divisor, image.height // divisor))
        return _upright_rgb(_name(source), image)


def rgb_of_pil(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a PIL image to an upright RGB array, as `read_image` does with a file.

    Raises:
        InputError: If it is too large, cannot be loaded, or is grey of 32 bits.
    """
    name = f"PIL image ({image.mode}, {image.width}×{image.height})"
    with _errors_of(name):
        _check_pixels(name, image.width, image.height)
        return _upright_rgb(name, image)


def check_size(name: str, height: int, width: int) -> None:
    """Check that an image is neither empty nor too large.

    Raises:
        InputError: If it is.
    """
    if not height * width:
        raise InputError(f"{name}: no pixels; expected at least one row and one column")
    _check_pixels(name, width, height)


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


def read_mask(path: Path) -> Mask:
    """Read a mask file of ids as raw ids `(H, W)`, uint8 or uint16.

    Raises:
        InputError: If the file cannot be read, or holds colours instead of ids.
    """
    with open_image(path) as image:
        check_mask_kind(path, image)
        multiplier = _grey_multiplier(image)
        if image.format == "PNG" and image.mode == "L" and multiplier == 1:
            ids = _decode_with_opencv(path, None)
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


@contextmanager
def open_image(source: Path | bytes) -> Generator[Image.Image]:
    """Open an image file, and convert errors while it is open to an `InputError`.

    Args:
        source: A file, or the bytes of one.

    Raises:
        InputError: If the file does not exist, is not an image, is too large, or is broken.
    """
    name = _name(source)
    with (
        _errors_of(name),
        # Given a path, Pillow maps uncompressed grey TIFFs and garbles those with an orientation.
        BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
        Image.open(file) as image,
    ):
        _check_pixels(name, image.width, image.height)
        yield image


@contextmanager
def _errors_of(name: str) -> Generator[None]:
    """Convert errors of reading an image to an `InputError`."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder; expected an image file") from None
    except PermissionError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{name}: not an image of a known format; replace it by a JPEG or PNG file"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name}: too large; {_TOO_LARGE}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{name}: broken or truncated ({error}); replace the file") from None


def _name(source: Path | bytes) -> str:
    return f"image file of {len(source)} bytes" if isinstance(source, bytes) else str(source)


def _check_pixels(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(f"{name}: {width}×{height} pixels; {_TOO_LARGE}")


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
_INDEX_MODES = frozenset({"1", "L", "P", "I;16", "I;16B", "I"})
_32_BIT_MODES = frozenset({"I", "F"})
_TOO_LARGE = f"at most {MAX_PIXELS // 1_000_000} million pixels are read; scale it down"


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


_IMPORT_LOCK = Lock()


@cache
def _opencv() -> ModuleType | None:
    """Return OpenCV if it is installed; it decodes faster than Pillow, to the same pixels."""
    # During the import in one thread, other threads would see a partially initialised module.
    with _IMPORT_LOCK:
        return importlib.import_module("cv2") if importlib.util.find_spec("cv2") else None


def _decode_with_opencv(source: Path | bytes, divisor: int | None) -> NDArray[np.uint8] | None:
    """Decode a file with OpenCV; return none if that fails, so that Pillow reports the error.

    Args:
        source: A file, or the bytes of one.
        divisor: Factor by which to divide the resolution of a JPEG; none to read raw values.
    """
    cv2 = _opencv()
    if cv2 is None:
        return None
    upright = cv2.IMREAD_IGNORE_ORIENTATION
    modes = {
        None: cv2.IMREAD_UNCHANGED,
        1: cv2.IMREAD_COLOR_RGB | upright,
        2: cv2.IMREAD_REDUCED_COLOR_2 | upright,
        4: cv2.IMREAD_REDUCED_COLOR_4 | upright,
        8: cv2.IMREAD_REDUCED_COLOR_8 | upright,
    }
    is_bytes = isinstance(source, bytes)
    data = np.frombuffer(source, np.uint8) if is_bytes else np.fromfile(source, np.uint8)
    pixels = cv2.imdecode(data, modes[divisor])
    # OpenCV decodes images of reduced resolution as BGR.
    return pixels if pixels is None or divisor in (None, 1) else pixels[..., ::-1]


def _grey_multiplier(image: Image.Image) -> int:
    """Return the factor by which Pillow scales the values of 2- and 4-bit grey to a byte."""
    tiles = getattr(image, "tile", None)
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0].args), 1) if tiles else 1


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
