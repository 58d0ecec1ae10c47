"""Logits of an image from overlapping windows over it."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.network import Logits, Network, like

# Rounding error of a share of an integer.
_ROUNDING = 1e-9


class Span(NamedTuple):
    """One side of a window, and the weights of its logits along that side.

    Attributes:
        start: The first pixel.
        stop: The pixel after the last.
        weights: One for each row or column of its logits, float32; over all windows they sum to 1.
    """

    start: int
    stop: int
    weights: NDArray[np.float32]


def spans(length: int, side: int, overlap: float, strides: tuple[int, int]) -> list[Span]:
    """Cover a length with windows at equal steps.

    The weights of a window fall off from its middle like sin². In the middle the network sees
    context on every side, and at the edges no seam shows.

    Args:
        length: Pixels to cover, a multiple of the input stride.
        side: Pixels of a window, likewise; a shorter length has one window of its own length.
        overlap: Minimum share of a window that the next one overlaps, in 0..1.
        strides: Input stride, of which window positions are multiples, so that the logits of all
            windows lie on one feature map; and output stride.
    """
    input_stride, output_stride = strides
    side = min(side, length)
    # In units of the input stride; rounding down keeps neighbours no further apart than `step`.
    step = max(1, int(side * (1 - overlap) / input_stride + _ROUNDING))
    distance = (length - side) // input_stride
    number = math.ceil(distance / step) + 1
    starts = [input_stride * (index * distance // max(1, number - 1)) for index in range(number)]
    size = -(-side // output_stride)
    bell = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    total = np.zeros(-(-length // output_stride))
    for start in starts:
        total[start // output_stride :][:size] += bell
    return [
        Span(start, start + side, _share(bell, total[start // output_stride :])) for start in starts
    ]


def blended(image: NDArray[np.uint8], network: Network, side: int, overlap: float) -> Logits:
    """Blend the logits of overlapping windows into those of an image, `(C, h, w)`.

    Logits are blended, not probabilities: where windows agree, the blend agrees with them; no
    window needs a softmax over all classes; and the result is logits like those of a network that
    saw the whole image.

    Args:
        image: `(H, W, C)`, both sides multiples of the input stride.
        network: Computes the logits of each window.
        side: Pixels of a window, a multiple of the input stride.
        overlap: Minimum share of a window that the next one overlaps.
    """
    stride = network.output_stride
    strides = network.input_stride, stride
    height, width = (-(-length // stride) for length in image.shape[:2])
    columns = spans(image.shape[1], side, overlap, strides)
    # Arrays, or tensors on the device of the network.
    total: Any = None
    for row in spans(image.shape[0], side, overlap, strides):
        for column in columns:
            window = np.ascontiguousarray(image[row.start : row.stop, column.start : column.stop])
            logits: Any = network.logits(window[None])[0]
            if total is None:
                total = like(np.zeros((network.num_classes, height, width), np.float32), logits)
            rows, cols = len(row.weights), len(column.weights)
            area = total[:, row.start // stride :, column.start // stride :][:, :rows, :cols]
            across = like(column.weights, logits)
            area += logits[:, :rows, :cols] * like(row.weights[:, None], logits) * across
    return total


def _share(bell: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float32]:
    return (bell / total[: len(bell)]).astype(np.float32)
