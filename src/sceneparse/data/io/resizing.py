"""Resizing of images of any number of channels."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.image_reading import RGB_CHANNELS


def resized_pixels(
    image: NDArray[np.uint8],
    size: tuple[int, int],
    method: Image.Resampling,
    reducing_gap: float | None = None,
) -> NDArray[np.uint8]:
    """Resize an image with a filter of Pillow; other channels than RGB one by one.

    Pillow would multiply two or four channels with the last of them as transparency.

    Args:
        image: `(H, W, C)`.
        size: Height and width of the result.
        method: The filter.
        reducing_gap: Reduce the image by a whole factor first; see Pillow.
    """

    def resize(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.array(
            Image.fromarray(part).resize((size[1], size[0]), method, reducing_gap=reducing_gap)
        )

    if image.shape[2] == RGB_CHANNELS:
        return resize(image)
    return np.stack([resize(image[..., index]) for index in range(image.shape[2])], axis=-1)
