"""Changes of colours: one image on the CPU, or a batch on the device that trains.

Both do the same as brightness, contrast, saturation and hue of torchvision, in this order, each
clipped to 0..255. Grey is that of ITU-R BT.601.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sceneparse.augmentation.change import Colors

GREY = (0.299, 0.587, 0.114)


def changed_colors(image: NDArray[np.uint8], colors: Colors) -> NDArray[np.uint8]:
    """Change the colours of an image `(H, W, 3)` RGB."""
    if colors.brightness != 1:
        image = _mixed(image, np.eye(3) * colors.brightness)
    if colors.contrast != 1:
        grey = float(np.dot(cv2.mean(image)[:3], GREY))
        offset = np.full(3, (1 - colors.contrast) * grey)
        image = _mixed(image, np.eye(3) * colors.contrast, offset)
    if colors.saturation != 1:
        to_grey = np.tile(GREY, (3, 1))
        image = _mixed(image, np.eye(3) * colors.saturation + (1 - colors.saturation) * to_grey)
    if colors.hue != 0:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
        # Hue fills a byte and goes round in it.
        hsv[..., 0] += np.uint8(round(colors.hue * 256) % 256)
        image = _bytes(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL))
    return image


def _mixed(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], offset: NDArray[np.float64] | None = None
) -> NDArray[np.uint8]:
    """Mix the channels of each pixel, rounded and clipped."""
    columns = [matrix, np.zeros(3) if offset is None else offset]
    return _bytes(cv2.transform(image, np.column_stack(columns).astype(np.float32)))


def _bytes(image: object) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)


def changed_colors_of_batch(image: Tensor, colors: Tensor) -> Tensor:
    """Change the colours of a batch on its device.

    Args:
        image: RGB `(B, 3, H, W)` uint8.
        colors: One `Colors` per image, `(B, 4)` float32.

    Returns:
        `(B, 3, H, W)` float32 in 0..255.
    """
    brightness, contrast, saturation, hue = colors[:, :, None, None, None].unbind(1)
    weights = torch.tensor(GREY, device=image.device)[:, None, None]
    pixels = (image.float() * brightness).clamp(0, 255)
    mean = (pixels * weights).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    pixels = (pixels * contrast + (1 - contrast) * mean).clamp(0, 255)
    grey = (pixels * weights).sum(dim=1, keepdim=True)
    pixels = (pixels * saturation + (1 - saturation) * grey).clamp(0, 255)
    return _with_hue_turned(pixels, hue)


def _with_hue_turned(pixels: Tensor, turn: Tensor) -> Tensor:
    """Add to the hue in HSV (Smith, 1978), as a share of the colour circle."""
    red, green, blue = pixels.unbind(1)
    value, brightest = pixels.max(dim=1)
    chroma = value - pixels.amin(dim=1)
    safe = chroma.clamp(min=1e-6)
    # Which sixth of the circle a pixel is in, by its brightest channel.
    sixths = torch.stack(
        [(green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe], dim=1
    )
    hue = sixths.gather(1, brightest[:, None]) + 6 * turn
    channels = torch.tensor([5.0, 3.0, 1.0], device=pixels.device)[:, None, None]
    place = (channels + hue).remainder(6)
    share = torch.minimum(place, 4 - place).clamp(0, 1)
    return value[:, None] - chroma[:, None] * share
