"""The values of image files, and their scaling to 8 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The smallest and the largest number that a file of so many bits holds.
_FULL_RANGE = {8: (0.0, 255.0), 16: (0.0, 65535.0)}
# Modes of Pillow whose range of values is unknown.
MODES_OF_32_BITS = frozenset({"I", "F"})


def bits_per_value(image: Image.Image) -> int:
    """Return how many bits each value of an opened file has: 8, 16 or 32."""
    if image.mode in MODES_OF_32_BITS:
        return 32
    tiles = getattr(image, "tile", None)
    is_deep = image.mode.startswith("I;16") or (tiles and ";16" in str(tiles[0].args))
    return 16 if is_deep else 8


def to_8_bit(values: NDArray[Any], value_range: tuple[float, float]) -> NDArray[np.uint8]:
    """Scale a range of values to 0..255; values outside are clipped, and NaN becomes 0."""
    low, high = value_range
    scaled = (values.astype(np.float64) - low) * (255 / (high - low))
    if values.dtype.kind == "f":
        scaled = np.nan_to_num(scaled, copy=False, nan=0.0)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def has_full_range(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a type are read without a range: unsigned, of 8 or 16 bits."""
    return dtype.kind == "u" and 8 * dtype.itemsize in _FULL_RANGE


def bands_to_8_bit(
    values: NDArray[Any], value_range: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """Scale the values of bands to 8 bits, as `to_8_bit` does.

    Args:
        values: Values of any type and shape.
        value_range: The values that become 0 and 255; none for all that the type holds.

    Raises:
        ValueError: If the type needs a range and there is none.
    """
    if not has_full_range(values.dtype):
        if value_range is None:
            raise ValueError(f"values of type {values.dtype} need a range")
        return to_8_bit(values, value_range)
    bits = 8 * values.dtype.itemsize
    if bits == 8 and value_range is None:
        return values
    # A look-up takes a tenth of the time and of the memory of the computation.
    return to_8_bit(np.arange(2**bits), value_range or _FULL_RANGE[bits])[values]
