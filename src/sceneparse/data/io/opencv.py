"""Decoding with OpenCV where it is installed, which is faster than Pillow."""

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IMPORT_LOCK = Lock()


@cache
def _opencv() -> ModuleType | None:
    """Return OpenCV if it is installed; it decodes faster than Pillow, to the same pixels."""
    # During the import in one thread, other threads would see a partially initialised module.
    with _IMPORT_LOCK:
        return importlib.import_module("cv2") if importlib.util.find_spec("cv2") else None


def decode_with_opencv(source: Path | bytes, divisor: int | None) -> NDArray[Any] | None:
    """Decode a file with OpenCV; return none if that fails, so that Pillow reports the error.

    Args:
        source: A file, or the bytes of one.
        divisor: Factor by which to divide the resolution of a JPEG; none to read the values as they
            are stored, with colours in the order BGR.
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
