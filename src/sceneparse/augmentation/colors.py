"""Colour jitter of one image on the CPU, or of a batch on the training device.

Both apply brightness, contrast, saturation and hue in this order, as torchvision does; each step
clips to 0..255. Grey values are those of ITU-R BT.601. Images of other channels than three have no
colours: their brightness and contrast change, with the mean of all bands as grey.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sceneparse.augmentation.parameters import ColorJitter
from sceneparse.data.io.image_reading import RGB_CHANNELS

GREY = (0.299, 0.587, 0.114)


def jitter_colors(image: NDArray[np.uint8], color_jitter: ColorJitter) -> NDArray[np.uint8]:
    """Apply colour jitter to an image `(H, W, C)`."""
    if image.shape[2] != RGB_CHANNELS:
        return _jitter_bands(image, color_jitter)
    if color_jitter.brightness != 1:
        image = _transform_channels(image, np.eye(3) * color_jitter.brightness)
    if color_jitter.contrast != 1:
        grey = float(np.dot(cv2.mean(image)[:3], GREY))
        offset = np.full(3, (1 - color_jitter.contrast) * grey)
        image = _transform_channels(image, np.eye(3) * color_jitter.contrast, offset)
    if color_jitter.saturation != 1:
        to_grey = np.tile(GREY, (3, 1))
        image = _transform_channels(
            image, np.eye(3) * color_jitter.saturation + (1 - color_jitter.saturation) * to_grey
        )
    if color_jitter.hue != 0:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
        # The hue spans a whole byte, so that overflow wraps around the colour circle.
        hsv[..., 0] += np.uint8(round(color_jitter.hue * 256) % 256)
        image = _as_uint8(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL))
    return image


def _jitter_bands(image: NDArray[np.uint8], color_jitter: ColorJitter) -> NDArray[np.uint8]:
    """Change the brightness and contrast of an image without colours."""
    values = np.arange(256, dtype=np.float32)
    if color_jitter.brightness != 1:
        image = _as_bytes(values * color_jitter.brightness)[image]
    if color_jitter.contrast != 1:
        offset = (1 - color_jitter.contrast) * float(image.mean())
        image = _as_bytes(values * color_jitter.contrast + offset)[image]
    return image


def _as_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _transform_channels(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], offset: NDArray[np.float64] | None = None
) -> NDArray[np.uint8]:
    """Apply an affine map to the channels of each pixel, rounded and clipped to bytes."""
    columns = [matrix, np.zeros(3) if offset is None else offset]
    return _as_uint8(cv2.transform(image, np.column_stack(columns).astype(np.float32)))


def _as_uint8(image: object) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)


def jitter_colors_of_batch(image: Tensor, color_jitter: Tensor) -> Tensor:
    """Apply colour jitter to a batch on its device.

    Args:
        image: Images `(B, C, H, W)` uint8.
        color_jitter: The fields of `ColorJitter` for each image, `(B, 4)` float32.

    Returns:
        `(B, C, H, W)` float32 in 0..255.
    """
    brightness, contrast, saturation, hue = color_jitter[:, :, None, None, None].unbind(1)
    channels = image.shape[1]
    has_colors = channels == RGB_CHANNELS
    grey_weights = GREY if has_colors else (1 / channels,) * channels
    weights = torch.tensor(grey_weights, device=image.device)[:, None, None]
    pixels = (image.float() * brightness).clamp(0, 255)
    mean = (pixels * weights).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    pixels = (pixels * contrast + (1 - contrast) * mean).clamp(0, 255)
    if not has_colors:
        return pixels
    grey = (pixels * weights).sum(dim=1, keepdim=True)
    pixels = (pixels * saturation + (1 - saturation) * grey).clamp(0, 255)
    return _shift_hue(pixels, hue)


def _shift_hue(pixels: Tensor, rotated_crop: Tensor) -> Tensor:
    """Shift the hue in HSV (Smith, 1978) by a share of the colour circle."""
    red, green, blue = pixels.unbind(1)
    value, brightest = pixels.max(dim=1)
    chroma = value - pixels.amin(dim=1)
    safe = chroma.clamp(min=1e-6)
    # Position on the colour circle in sixths, for each choice of the brightest channel.
    sixths = torch.stack(
        [(green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe], dim=1
    )
    hue = sixths.gather(1, brightest[:, None]) + 6 * rotated_crop
    channels = torch.tensor([5.0, 3.0, 1.0], device=pixels.device)[:, None, None]
    sector = (channels + hue).remainder(6)
    share = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[:, None] - chroma[:, None] * share
