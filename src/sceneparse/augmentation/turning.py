"""Cut a turned part out of an image or a mask by one affine warp."""

from math import cos, radians, sin
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sceneparse.augmentation.change import Crop
from sceneparse.labels import Mask

# The longest side that OpenCV warps.
_LONGEST = 2**15 - 2


class Turn(NamedTuple):
    """What is cut out and how it is turned.

    Attributes:
        crop: What is cut out before it is turned about its middle; may reach beyond the image.
        angle: In degrees; what is seen turns against the clock.
        size: Side of the square that it is scaled to.
        flip: Whether it is mirrored left and right afterwards.
    """

    crop: Crop
    angle: float
    size: int
    flip: bool


def turned_image(
    image: NDArray[np.uint8], turn: Turn, fill: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Cut a turned part out of an image `(H, W, 3)`, resampled bilinearly.

    Where the image is more than twice as large as needed, pixels are averaged before by a whole
    number, as decoding a JPEG at a smaller scale does: a warp passes over pixels.
    """
    part, matrix = _needed_part(image, _to_source(turn, image.shape[:2]), turn.size)
    factor = int(_steps(matrix).min())
    if factor >= 2:
        height, width = part.shape[:2]
        smaller = (max(1, round(width / factor)), max(1, round(height / factor)))
        part = cv2.resize(part, smaller, interpolation=cv2.INTER_AREA)
        matrix = matrix * np.array([[smaller[0] / width], [smaller[1] / height]])
    return np.asarray(_warped(part, matrix, turn.size, cv2.INTER_LINEAR, fill), np.uint8)


def turned_mask(mask: Mask, turn: Turn, ignore_index: int) -> Mask:
    """Cut a turned part out of a mask `(H, W)` by nearest neighbour, void beyond it."""
    part, matrix = _needed_part(mask, _to_source(turn, mask.shape), turn.size)
    warped = _warped(part, matrix, turn.size, cv2.INTER_NEAREST, (ignore_index, 0, 0))
    return np.asarray(warped, mask.dtype)


def _warped(
    pixels: Any, matrix: NDArray[np.float64], size: int, method: int, fill: tuple[int, int, int]
) -> Any:
    # OpenCV takes no longer sides; so much longer than the square, no pixel is missed.
    every = -(-max(pixels.shape[:2]) // _LONGEST)
    if every > 1:
        pixels = np.ascontiguousarray(pixels[::every, ::every])
        matrix = matrix / every
    # OpenCV counts from the centres of pixels; here they are counted from their edges.
    linear, shift = matrix[:, :2], matrix[:, 2]
    centred = np.column_stack([linear, shift + linear.sum(axis=1) / 2 - 0.5])
    return cv2.warpAffine(
        pixels,
        centred,
        (size, size),
        flags=method | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )


def _to_source(turn: Turn, source: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the map from (x, y) in the square to (x, y) in the image `(H, W, ...)`, `(2, 3)`."""
    (height, width), crop = source[:2], turn.crop
    angle = radians(turn.angle)
    rotation = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    step = np.array([crop.width * width, crop.height * height]) / turn.size
    linear = rotation @ np.diag(step * [-1 if turn.flip else 1, 1])
    middle = [(crop.left + crop.width / 2) * width, (crop.top + crop.height / 2) * height]
    return np.column_stack([linear, middle - linear @ np.full(2, turn.size / 2)])


def _steps(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many pixels of the image one of the square is wide and high."""
    return np.sqrt((matrix[:, :2] ** 2).sum(axis=0))


def _needed_part(
    pixels: NDArray[Any], matrix: NDArray[np.float64], size: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Leave away what no pixel of the square is taken from."""
    corners = matrix @ np.array([[0, 0, size, size], [0, size, 0, size], [1, 1, 1, 1]])
    # What is averaged and interpolated takes its neighbours too.
    margin = 2 + 2 * _steps(matrix).max()
    sides = np.array([pixels.shape[1], pixels.shape[0]])
    first = np.clip(np.floor(corners.min(axis=1) - margin), 0, sides - 1).astype(int)
    last = np.clip(np.ceil(corners.max(axis=1) + margin), first + 1, sides).astype(int)
    part = pixels[first[1] : last[1], first[0] : last[0]]
    return part, matrix - np.array([[0, 0, first[0]], [0, 0, first[1]]])
