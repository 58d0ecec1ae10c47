"""Rotated crops of images and masks, by one affine warp."""

from math import cos, radians, sin
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sceneparse.augmentation.channels import by_channels
from sceneparse.augmentation.parameters import CropBox
from sceneparse.labels import Mask

# Longest side that OpenCV can warp.
_MAX_WARP_SIDE = 2**15 - 2


class RotatedCrop(NamedTuple):
    """The parameters of a rotated crop.

    Attributes:
        box: Box of the crop before rotation about its centre; may extend beyond the image.
        angle: Counter-clockwise rotation of the content, in degrees.
        size: Side of the output square in pixels.
        flip: Whether the square is flipped horizontally afterwards.
    """

    box: CropBox
    angle: float
    size: int
    flip: bool


def crop_rotated_image(
    image: NDArray[np.uint8], rotated_crop: RotatedCrop, fill: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Crop and rotate an image `(H, W, C)` by bilinear resampling.

    An image at twice the output resolution or more is first averaged over blocks of pixels, since a
    warp without antialiasing would skip pixels.
    """
    region, matrix = _trim(
        image, _square_to_image(rotated_crop, image.shape[:2]), rotated_crop.size
    )
    factor = int(_pixel_sizes(matrix).min())
    if factor >= 2:
        height, width = region.shape[:2]
        smaller = (max(1, round(width / factor)), max(1, round(height / factor)))
        region = by_channels(
            region, lambda part: cv2.resize(part, smaller, interpolation=cv2.INTER_AREA)
        )
        matrix = matrix * np.array([[smaller[0] / width], [smaller[1] / height]])
    size, method = rotated_crop.size, cv2.INTER_LINEAR
    return by_channels(region, lambda part: _warp(part, matrix, size, method, fill[:4]))


def crop_rotated_mask(mask: Mask, rotated_crop: RotatedCrop, ignore_index: int) -> Mask:
    """Crop and rotate a mask `(H, W)` by nearest neighbour; `ignore_index` beyond the mask."""
    region, matrix = _trim(mask, _square_to_image(rotated_crop, mask.shape), rotated_crop.size)
    warped = _warp(region, matrix, rotated_crop.size, cv2.INTER_NEAREST, (ignore_index, 0, 0))
    return np.asarray(warped, mask.dtype)


def _warp(
    pixels: Any, matrix: NDArray[np.float64], size: int, method: int, fill: tuple[int, ...]
) -> Any:
    # OpenCV refuses longer sides. At such a ratio to the square, subsampling loses no detail.
    stride = -(-max(pixels.shape[:2]) // _MAX_WARP_SIDE)
    if stride > 1:
        pixels = np.ascontiguousarray(pixels[::stride, ::stride])
        matrix = matrix / stride
    # OpenCV measures coordinates from pixel centres; the matrix here measures from pixel edges.
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


def _square_to_image(rotated_crop: RotatedCrop, source: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the affine map `(2, 3)` from (x, y) in the square to (x, y) in the image."""
    (height, width), box = source[:2], rotated_crop.box
    angle = radians(rotated_crop.angle)
    rotation = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    step = np.array([box.width * width, box.height * height]) / rotated_crop.size
    linear = rotation @ np.diag(step * [-1 if rotated_crop.flip else 1, 1])
    middle = [(box.left + box.width / 2) * width, (box.top + box.height / 2) * height]
    return np.column_stack([linear, middle - linear @ np.full(2, rotated_crop.size / 2)])


def _pixel_sizes(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return width and height of a pixel of the square, in pixels of the image."""
    return np.sqrt((matrix[:, :2] ** 2).sum(axis=0))


def _trim(
    pixels: NDArray[Any], matrix: NDArray[np.float64], size: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Trim the image to the region that the square needs, and adapt the affine map."""
    corners = matrix @ np.array([[0, 0, size, size], [0, size, 0, size], [1, 1, 1, 1]])
    # Averaging and interpolation also need neighbouring pixels.
    margin = 2 + 2 * _pixel_sizes(matrix).max()
    sides = np.array([pixels.shape[1], pixels.shape[0]])
    start = np.clip(np.floor(corners.min(axis=1) - margin), 0, sides - 1).astype(int)
    stop = np.clip(np.ceil(corners.max(axis=1) + margin), start + 1, sides).astype(int)
    region = pixels[start[1] : stop[1], start[0] : stop[0]]
    return region, matrix - np.array([[0, 0, start[0]], [0, 0, start[1]]])
