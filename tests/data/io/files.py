"""Image files for tests of decoding."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
# Function that makes a stored image upright, by EXIF orientation.
UPRIGHT: dict[int, Any] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


def save_image(path: Path, image: "Image.Image | NDArray[Any]", **options: Any) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def png_chunk(content: bytes) -> bytes:
    """Add length and check sum to the kind and content of a chunk of a PNG."""
    length, check = struct.pack(">I", len(content) - 4), struct.pack(">I", zlib.crc32(content))
    return length + content + check
