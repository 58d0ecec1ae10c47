"""Opening image files: their errors, and the limit of their size."""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from sceneparse.errors import InputError

# Larger images are refused before memory is allocated, such as decompression bombs.
MAX_PIXELS = 120_000_000
# Values of all bands together, as many as those of RGB with transparency.
MAX_VALUES = 4 * MAX_PIXELS
_TOO_LARGE = f"at most {MAX_PIXELS // 1_000_000} million pixels are read; scale it down"

# Editors write their history and colour profiles of several MB into PNGs; Pillow refuses 1 MB.
PngImagePlugin.MAX_TEXT_CHUNK = 2**26
PngImagePlugin.MAX_TEXT_MEMORY = 2**28
# Pillow warns of what is larger than a limit of its own, which a user may have lifted.
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MAX_PIXELS)


# Formats for which Pillow starts another program or a library of the system.
_PROGRAMS = frozenset({"EPS", "WMF", "EMF"})


class UnknownFormatError(InputError):
    """A file that Pillow does not know; other libraries may."""


class TooLargeError(InputError):
    """An image of more pixels or values than are read."""


@contextmanager
def open_image(source: Path | bytes, *, may_have_pages: bool = False) -> Generator[Image.Image]:
    """Open an image file, and convert errors while it is open to an `InputError`.

    Args:
        source: A file, or the bytes of one.
        may_have_pages: Whether a TIFF may have several pages, each of one band.

    Raises:
        InputError: If the file does not exist, is not an image, is too large, or is broken.
    """
    name = name_of(source)
    with (
        errors_of(name),
        # Given a path, Pillow maps uncompressed grey TIFFs and garbles those with an orientation.
        BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
        _opened(name, file) as image,
    ):
        if image.format in _PROGRAMS:
            raise UnknownFormatError(
                f"{name}: {image.format}, which is a program that draws an image, and is not run; "
                "convert it to PNG"
            )
        check_pixels(name, image.width, image.height)
        check_pages(name, image, are_bands=may_have_pages)
        yield image


# The first brands of HEIF files whose pixels are coded as HEVC (ISO 23008-12); phones write them.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")


def _opened(name: str, file: IO[bytes]) -> Image.Image:
    """Open an image, and let Pillow know of HEIC before it meets the first such file."""
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp" and start[8:] in _HEIC_BRANDS:
        try:
            heif = importlib.import_module("pillow_heif")
        except ModuleNotFoundError:
            raise InputError(
                f"{name}: a HEIC image, which needs another library: "
                '`pip install "sceneparse[heic]"`; or convert it to JPEG'
            ) from None
        heif.register_heif_opener()
    return Image.open(file)


_MESSAGES: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "no such file"),
    (IsADirectoryError, "is a folder; expected an image file"),
    (
        MemoryError,
        "needs more memory than there is, or is broken and says so; scale the image down, or "
        "replace the file",
    ),
)


@contextmanager
def errors_of(name: str) -> Generator[None]:
    """Convert errors of reading an image to an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError:
        raise UnknownFormatError(
            f"{name}: not an image of a known format; replace it by a JPEG or PNG file"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLargeError(f"{name}: too large; {_TOO_LARGE}") from None
    except PermissionError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    except Exception as error:  # readers of damaged files fall over in any way
        broken = f"broken or truncated ({error!s:.200}); replace the file"
        said = next((text for kind, text in _MESSAGES if isinstance(error, kind)), broken)
        raise InputError(f"{name}: {said}") from None


def name_of(source: Path | bytes) -> str:
    """Return the name of a file, or of the bytes of one, for messages."""
    return f"image file of {len(source)} bytes" if isinstance(source, bytes) else str(source)


def check_pixels(name: str, width: int, height: int) -> None:
    """Check that an image is not too large.

    Raises:
        TooLargeError: If it is.
    """
    if width * height > MAX_PIXELS:
        raise TooLargeError(f"{name}: {width}×{height} pixels; {_TOO_LARGE}")


def check_values(name: str, height: int, width: int, bands: int) -> None:
    """Check that an image of several bands is not too large.

    Raises:
        TooLargeError: If it is.
    """
    check_pixels(name, width, height)
    if height * width * bands > MAX_VALUES:
        raise TooLargeError(
            f"{name}: {width}×{height} pixels of {bands} bands; at most "
            f"{MAX_VALUES // 1_000_000} million values are read; choose fewer bands, or cut it "
            "into parts"
        )


def check_size(name: str, height: int, width: int) -> None:
    """Check that an image is neither empty nor too large.

    Raises:
        InputError: If it is.
    """
    if height < 1 or width < 1:
        raise InputError(f"{name}: no pixels; expected at least one row and one column")
    check_pixels(name, width, height)


# TIFF 6.0: what a page is; bit 0 for a smaller copy of another one, bit 2 for a transparency mask.
_NEW_SUBFILE_TYPE, _NO_PAGE = 254, 0b101


def check_pages(name: str, image: Image.Image, *, are_bands: bool = False) -> None:
    """Refuse a file of several pages or frames, of which only the first would be read.

    Phones store a second image in a JPEG, which is not meant here.

    Args:
        name: Name of the image, for messages.
        image: The image, opened.
        are_bands: Whether a TIFF may have several pages, each of one band.

    Raises:
        InputError: If it has several.
    """
    pages = len(pages_of(image))
    if pages > 1 and not (are_bands and image.format == "TIFF" and len(image.getbands()) == 1):
        raise InputError(
            f"{name}: holds {pages} pages or frames, expected one; save each as a file of its own"
        )


def pages_of(image: Image.Image) -> list[int]:
    """Return the numbers of the pages of an image that are no smaller copies of others."""
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    pages = list(range(count))
    if count > 1 and image.format == "TIFF":
        pages = [number for number in pages if not _is_no_page(image, number)]
        image.seek(0)
    return pages


def _is_no_page(image: Image.Image, number: int) -> bool:
    image.seek(number)
    tags = getattr(image, "tag_v2", {})
    return bool(int(tags.get(_NEW_SUBFILE_TYPE, 0)) & _NO_PAGE)
