"""Images and masks from files, whatever their kind, with messages that say what is wrong."""

import importlib
import importlib.util
import struct
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sceneparse.errors import InputError
from sceneparse.labels import Mask

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
# JPEG is among them to be refused with the reason, where pairs are read.
MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})
# By what a JPEG may be divided while it is decoded.
REDUCTIONS = (1, 2, 4, 8)
_MARGIN = 1.25
# Refused before memory is taken. It is the size beyond which Pillow warns of decompression bombs.
MAX_PIXELS = 89_478_485


def read_image(path: Path, smallest: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read an image as `(H, W, 3)` RGB uint8, upright.

    Grey, palette, 16-bit and CMYK images become RGB; transparency is laid over white; the EXIF
    orientation is applied.

    Args:
        path: The file.
        smallest: Height and width that are enough: a JPEG is then decoded at a half, a quarter or
            an eighth of its size, as `reduction` says. None: whole.

    Raises:
        InputError: If the file cannot be read as an image.
    """
    with opened(path) as image:
        _check_image_kind(path, image)
        orientation = 1 if image.format == "TIFF" else _orientation(image)
        divisor = 1
        if smallest is not None:
            width, height = image.size
            upright = (width, height) if orientation in _SIDES_SWAPPED else (height, width)
            divisor = reduction(upright, smallest)
        if image.format == "JPEG" and image.mode in ("RGB", "L") and orientation == 1:
            pixels = _by_opencv(path, divisor)
            if pixels is not None:
                return pixels
        image.draft(None, (image.width // divisor, image.height // divisor))
        image.load()
        turn = _TURNS.get(orientation)
        return np.array(_rgb(image if turn is None else image.transpose(turn)))


def reduction(size: tuple[int, int], smallest: tuple[int, int]) -> int:
    """Return by what a JPEG is divided while it is decoded: 1, 2, 4 or 8.

    A margin of pixels is left for the resampling that follows, which filters better.

    Args:
        size: Height and width of the image.
        smallest: Height and width that are needed.
    """
    room = min(side / (_MARGIN * needed) for side, needed in zip(size, smallest, strict=True))
    return max(divisor for divisor in REDUCTIONS if divisor <= max(1.0, room))


def read_mask(path: Path) -> Mask:
    """Read an index mask as raw ids `(H, W)`, uint8 or uint16.

    Raises:
        InputError: If the file cannot be read, or holds colours instead of ids.
    """
    with opened(path) as image:
        check_mask_kind(path, image)
        spread = _grey_spread(image)
        if image.format == "PNG" and image.mode == "L" and spread == 1:
            ids = _by_opencv(path, None)
            if ids is not None and ids.shape == (image.height, image.width):
                return ids
        image.load()
        values = np.array(image)
    if spread > 1:
        return values // spread
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.kind == "u":
        return values
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise InputError(f"{path}: values {values.min()}..{values.max()} outside 0..65535")
    return values.astype(np.uint16 if values.max(initial=0) > 255 else np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """Read the height and width of an upright image from its header.

    Raises:
        InputError: If the file is no image, or of a kind that `read_image` refuses.
    """
    with opened(path) as image:
        _check_image_kind(path, image)
        width, height = image.size
        # Pillow turns the size of a TIFF itself.
        # Asking a PNG for EXIF that is not at its beginning would decode all of it.
        has_exif = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        turned = has_exif and _orientation(image) in _SIDES_SWAPPED
    return (width, height) if turned else (height, width)


def mask_size(path: Path) -> tuple[int, int]:
    """Read the height and width of a mask from its header, and check that it holds ids.

    Raises:
        InputError: If the file is no index mask.
    """
    with opened(path) as image:
        check_mask_kind(path, image)
        return image.height, image.width


def check_mask_kind(path: Path, image: Image.Image) -> None:
    """Refuse masks that hold colours, or that were stored with loss.

    Raises:
        InputError: If it is such a mask.
    """
    if image.format == "JPEG":
        raise InputError(
            f"{path}: a JPEG mask; JPEG changes pixel values, so class ids do not survive it; "
            "store masks as PNG"
        )
    if image.mode not in _INDEX_MODES:
        raise InputError(
            f"{path}: a mask of colours (mode {image.mode}); expected one class id per pixel "
            "(8- or 16-bit grey, or palette PNG); convert the colours to ids"
        )


@contextmanager
def opened(path: Path) -> Generator[Image.Image]:
    """Open an image; whatever goes wrong while it is open becomes an `InputError`.

    Raises:
        InputError: If it is no image, too large, or broken.
    """
    try:
        # Given a path, Pillow maps uncompressed grey TIFFs and garbles those that are turned.
        with path.open("rb") as file, Image.open(file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(f"{path}: {image.width}×{image.height} pixels; {_TOO_LARGE}")
            yield image
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image, or of an unknown kind") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{path}: too large; {_TOO_LARGE}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{path}: broken or truncated ({error})") from None


_EXIF_ORIENTATION = 0x0112
# What makes an image of an orientation upright (EXIF 2.32, tag 0x0112).
_TURNS = {
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
_DEEP_MODES = frozenset({"I", "F"})
_TOO_LARGE = f"at most {MAX_PIXELS // 1_000_000} million pixels are read; scale it down"


def _check_image_kind(path: Path, image: Image.Image) -> None:
    if image.mode in _DEEP_MODES:
        raise InputError(
            f"{path}: grey of 32 bits (mode {image.mode}), and nothing says which value is white; "
            "expected at most 16 bits; convert it to an 8-bit PNG or JPEG"
        )


_IMPORTING = Lock()


@cache
def _opencv() -> ModuleType | None:
    """Return OpenCV where it is installed: the same pixels as Pillow's, sooner, beside others."""
    # While one thread imports it, OpenCV is half there for the others, and takes itself out again.
    with _IMPORTING:
        return importlib.import_module("cv2") if importlib.util.find_spec("cv2") else None


def _by_opencv(path: Path, divisor: int | None) -> NDArray[np.uint8] | None:
    """Decode a plain file; none where that fails, for Pillow to tell why.

    Args:
        path: The file.
        divisor: By what the sides of a JPEG are divided; none to read values as they are.
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
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), modes[divisor])
    # Reduced images come as BGR.
    return pixels if pixels is None or divisor in (None, 1) else pixels[..., ::-1]


def _grey_spread(image: Image.Image) -> int:
    """Return what Pillow multiplies the values of 2- and 4-bit grey with, to fill a byte."""
    tiles = getattr(image, "tile", None)
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0].args), 1) if tiles else 1


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; a damaged tag, which no viewer minds either, is none."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (struct.error, TypeError, ValueError, KeyError, SyntaxError):
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    # Pillow would copy one that is RGB already.
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion clips it instead."""
    return np.clip(np.round(values.astype(np.float64) / 257), 0, 255).astype(np.uint8)
