"""Resizing of images of any number of channels."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.image_reading import RGB_CHANNELS


def resized_pixels(
    image: NDArray[np.uint8], size: tuple[int, int], method: Image.Resampling
) -> NDArray[np.uint8]:
    """Resize an image with a filter of Pillow: its height first, then its width.

    Pillow itself begins with the side that makes less work, and rounds in between; the result would
    depend on its version. Other channels than RGB are resized one by one, because Pillow would
    multiply two or four channels with the last of them as transparency.

    Args:
        image: `(H, W, C)`.
        size: Height and width of the result.
        method: The filter.
    """
    height, width = size

    def resize(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        whole = Image.fromarray(part)
        return np.array(whole.resize((whole.width, height), method).resize((width, height), method))

    if image.shape[2] == RGB_CHANNELS:
        return resize(image)
    return np.stack([resize(image[..., index]) for index in range(image.shape[2])], axis=-1)
