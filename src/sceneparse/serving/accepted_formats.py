"""The image formats that a server takes from strangers."""

from PIL import PngImagePlugin

from sceneparse.data.io.opening import open_image
from sceneparse.serving.refusals import RequestRefusedError

# Pillow's names of the formats of `data.io.decode.IMAGE_SUFFIXES`. It knows many more, whose
# readers are seldom tried.
FORMATS = frozenset(
    {
        *("JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "BMP", "DIB", "GIF"),
        *("PCX", "SGI", "TGA", "DDS", "PPM"),
    }
)
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_format(content: bytes) -> None:
    """Check the format of an image by its header.

    Raises:
        RequestRefusedError: If it is another format than those of data sets.
        InputError: If it is not an image, is too large, or is broken.
    """
    if content.startswith(_TIFF_SIGNATURES):
        return  # It may be one that Pillow does not know and rasterio reads.
    with open_image(content) as image:
        found = image.format
    if found not in FORMATS:
        raise RequestRefusedError(
            415, f"found an image of format {found}; convert it to JPEG or PNG"
        )


def limit_text_of_images() -> None:
    """Lower the memory that the compressed texts of a PNG may take, for the whole process.

    Data sets hold files of editors with long histories; strangers send bombs.
    """
    PngImagePlugin.MAX_TEXT_CHUNK = 2**24
    PngImagePlugin.MAX_TEXT_MEMORY = 2**25
