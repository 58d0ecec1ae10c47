"""Crop, scale and flip by one resampling."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse.augmentation.channels import by_channels
from sceneparse.augmentation.parameters import CropBox
from sceneparse.labels import Mask


def resample(
    image: NDArray[np.uint8], mask: Mask, box: CropBox, size: int, *, flip: bool
) -> tuple[NDArray[np.uint8], Mask]:
    """Crop an image and its mask, and scale the crop to a square.

    The image is resampled bilinearly with antialiasing, the mask by nearest neighbour. The box is
    rounded to whole pixels of the image; the crop of the mask is exactly aligned with it.

    Args:
        image: Image `(H, W, C)`, which may have a lower resolution than the mask.
        mask: Train ids `(h, w)` of the same image.
        box: The box of the crop.
        size: Side of the square in pixels.
        flip: Whether to flip horizontally afterwards.

    Returns:
        Image `(size, size, C)` and mask `(size, size)`.
    """
    top, bottom = _pixel_range(box.top, box.height, image.shape[0])
    left, right = _pixel_range(box.left, box.width, image.shape[1])
    # torch resamples bytes fastest in the channels-last layout.
    crop = torch.from_numpy(image[top:bottom, left:right].copy())[None].permute(0, 3, 1, 2)
    square = F.interpolate(crop, (size, size), mode="bilinear", antialias=True)
    pixels = np.ascontiguousarray(square[0].permute(1, 2, 0).numpy())
    rows = _nearest(top, bottom, size, mask.shape[0] / image.shape[0])
    columns = _nearest(left, right, size, mask.shape[1] / image.shape[1])
    if flip:
        pixels = by_channels(pixels, lambda part: cv2.flip(part, 1))
        columns = columns[::-1]
    return pixels, mask[rows][:, columns]


def _pixel_range(start: float, length: float, pixels: int) -> tuple[int, int]:
    """Return the first pixel and the last, exclusive, of an interval given in shares."""
    first = min(round(start * pixels), pixels - 1)
    return first, min(pixels, max(first + 1, round((start + length) * pixels)))


def _nearest(first: int, last: int, size: int, scale: float) -> NDArray[np.intp]:
    """Return the index of the mask pixel at the centre of each output pixel."""
    centres = first + (np.arange(size) + 0.5) * ((last - first) / size)
    return (centres * scale).astype(np.intp)
