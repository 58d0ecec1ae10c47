"""What a worse camera would have done to an image: blur, noise, JPEG."""

from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from sceneparse.augmentation.change import Degradation

# What a random byte stands for: a normal distribution in 256 steps, which takes a tenth of the
# time of random floats.
_NORMAL = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)])


def degrade(image: NDArray[np.uint8], degradation: Degradation) -> NDArray[np.uint8]:
    """Blur an image `(H, W, 3)` RGB, add noise to it, and compress it."""
    if degradation.blur:
        image = _bytes(cv2.GaussianBlur(image, (0, 0), degradation.blur))
    if degradation.noise:
        image = _noisy(image, degradation.noise, degradation.noise_seed)
    if degradation.quality:
        image = _compressed(image, degradation.quality)
    return image


def _noisy(image: NDArray[np.uint8], sigma: float, seed: int) -> NDArray[np.uint8]:
    """Add normal noise, another in each channel."""
    content = np.random.default_rng(seed).bytes(image.size)
    table = np.rint(_NORMAL * sigma).astype(np.int16)
    noise = table[np.frombuffer(content, np.uint8)].reshape(image.shape)
    return _bytes(cv2.add(image, noise, dtype=cv2.CV_8U))


def _compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Store an image as JPEG, and read it again."""
    blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _bytes(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB))


def _bytes(image: object) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)
