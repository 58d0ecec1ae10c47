"""Operations of OpenCV on images of any number of channels."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Some operations of OpenCV take no more channels; all of them drop the axis of a single one.
_MAX_CHANNELS = 4


def by_channels(
    image: NDArray[np.uint8], operation: Callable[[NDArray[np.uint8]], Any]
) -> NDArray[np.uint8]:
    """Apply an operation that treats each channel of an image alike.

    Args:
        image: `(H, W, C)`.
        operation: Takes `(H, W, c)` with at most four channels, and returns `(h, w, c)`, or
            `(h, w)` for one channel.

    Returns:
        `(h, w, C)`.
    """
    channels = image.shape[2]
    if 1 < channels <= _MAX_CHANNELS:
        return np.asarray(operation(image), np.uint8)
    parts = [
        np.asarray(operation(np.ascontiguousarray(image[..., first : first + _MAX_CHANNELS])))
        for first in range(0, channels, _MAX_CHANNELS)
    ]
    parts = [part if part.ndim == image.ndim else part[..., None] for part in parts]
    return np.concatenate(parts, axis=2, dtype=np.uint8)
