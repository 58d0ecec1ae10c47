"""Degradation of images: blur, noise and JPEG compression."""

from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from sceneparse.augmentation.channels import by_channels
from sceneparse.augmentation.parameters import Degradation
from sceneparse.data.io.image_reading import RGB_CHANNELS

# Normal quantile of each random byte: this takes a tenth of the time of normal random floats.
_NORMAL_QUANTILES = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)])


def degrade(image: NDArray[np.uint8], degradation: Degradation) -> NDArray[np.uint8]:
    """Blur an image `(H, W, C)`, add noise to it, and compress it as JPEG if it is RGB."""
    if degradation.blur:
        image = by_channels(image, lambda part: cv2.GaussianBlur(part, (0, 0), degradation.blur))
    if degradation.noise:
        image = _add_noise(image, degradation.noise, degradation.noise_seed)
    if degradation.quality and image.shape[2] == RGB_CHANNELS:
        image = _compress_jpeg(image, degradation.quality)
    return image


def _add_noise(image: NDArray[np.uint8], sigma: float, seed: int) -> NDArray[np.uint8]:
    """Add independent normal noise to each channel."""
    content = np.random.default_rng(seed).bytes(image.size)
    table = np.rint(_NORMAL_QUANTILES * sigma).astype(np.int16)
    noise = table[np.frombuffer(content, np.uint8)].reshape(len(image), -1)
    noisy = cv2.add(image.reshape(noise.shape), noise, dtype=cv2.CV_8U)
    return _as_uint8(noisy).reshape(image.shape)


def _compress_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode an image as JPEG and decode it."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _as_uint8(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB))


def _as_uint8(image: object) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)
