"""Crop, scale and flip by one resampling."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse.augmentation.change import Crop
from sceneparse.labels import Mask


def resample(
    image: NDArray[np.uint8], mask: Mask, crop: Crop, size: int, *, flip: bool
) -> tuple[NDArray[np.uint8], Mask]:
    """Cut a part out of an image and its mask and scale it to a square.

    The image is resampled bilinearly with antialiasing, the mask by nearest neighbour. The cut
    begins and ends at whole pixels of the image; that of the mask follows it exactly.

    Args:
        image: RGB `(H, W, 3)`; may have been decoded at a smaller scale than the mask.
        mask: Train ids `(h, w)` of the same view.
        crop: What is cut out.
        size: Side of the square.
        flip: Whether to mirror left and right afterwards.
    """
    top, bottom = _whole(crop.top, crop.height, image.shape[0])
    left, right = _whole(crop.left, crop.width, image.shape[1])
    # As a batch of pixels, the layout in which torch resamples bytes fastest.
    cut = torch.from_numpy(image[top:bottom, left:right].copy())[None].permute(0, 3, 1, 2)
    square = F.interpolate(cut, (size, size), mode="bilinear", antialias=True)
    pixels = np.ascontiguousarray(square[0].permute(1, 2, 0).numpy())
    rows = _nearest(top, bottom, size, mask.shape[0] / image.shape[0])
    columns = _nearest(left, right, size, mask.shape[1] / image.shape[1])
    if flip:
        pixels, columns = np.asarray(cv2.flip(pixels, 1), np.uint8), columns[::-1]
    return pixels, mask[rows][:, columns]


def _whole(start: float, length: float, pixels: int) -> tuple[int, int]:
    """Return the first and the last pixel, exclusive, of a part given in shares."""
    first = min(round(start * pixels), pixels - 1)
    return first, min(pixels, max(first + 1, round((start + length) * pixels)))


def _nearest(first: int, last: int, size: int, scale: float) -> NDArray[np.intp]:
    """Return the place in the mask of the centre of each output pixel."""
    centres = first + (np.arange(size) + 0.5) * ((last - first) / size)
    return (centres * scale).astype(np.intp)
