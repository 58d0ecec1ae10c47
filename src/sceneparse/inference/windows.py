"""Logits of an image from overlapping windows over it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend

# What a share of a whole number may be off by.
_ROUNDING = 1e-9


class Span(NamedTuple):
    """What a window sees of one side of an image, and what its answer counts there.

    Attributes:
        start: The first pixel.
        stop: The pixel after the last.
        weights: One for each cell, float32; those of all windows on a cell add up to 1.
    """

    start: int
    stop: int
    weights: NDArray[np.float32]


def spans(length: int, side: int, overlap: float, strides: tuple[int, int]) -> list[Span]:
    """Cover a length with windows at equal steps.

    A window counts most in its middle, where the network sees something on every side of a cell,
    and falls off like sin², so that no edge of a window shows.

    Args:
        length: Pixels to cover, a multiple of the input stride.
        side: Pixels of a window, likewise; a shorter length has one window of its own length.
        overlap: Least share of a window that the next one sees again, in 0..1.
        strides: Input stride, to which windows are moved, so that the cells of all of them lie on
            one grid; and output stride.
    """
    input_stride, output_stride = strides
    side = min(side, length)
    # In units of the input stride; rounding down keeps neighbours no further apart than `step`.
    step = max(1, int(side * (1 - overlap) / input_stride + _ROUNDING))
    way = (length - side) // input_stride
    number = math.ceil(way / step) + 1
    starts = [input_stride * (place * way // max(1, number - 1)) for place in range(number)]
    cells = -(-side // output_stride)
    bell = np.sin(np.pi * (np.arange(cells) + 0.5) / cells) ** 2
    total = np.zeros(-(-length // output_stride))
    for start in starts:
        total[start // output_stride :][:cells] += bell
    return [
        Span(start, start + side, _share(bell, total[start // output_stride :])) for start in starts
    ]


def blended(
    image: NDArray[np.uint8], backend: Backend, side: int, overlap: float
) -> NDArray[np.float32]:
    """Blend the logits of overlapping windows into those of an image, `(C, h, w)`.

    Logits and not probabilities: a network that answers alike in two windows then answers the same
    blended, no softmax over all classes is needed for each window, and the result is logits like
    those of a network that saw the whole.

    Args:
        image: `(H, W, 3)`, both sides multiples of the input stride.
        backend: The network.
        side: Pixels of a window, a multiple of the input stride.
        overlap: Least share of a window that the next one sees again.
    """
    strides = backend.input_stride, backend.output_stride
    stride = backend.output_stride
    rows, columns = (-(-length // stride) for length in image.shape[:2])
    total = np.zeros((backend.num_classes, rows, columns), np.float32)
    across = spans(image.shape[1], side, overlap, strides)
    for row in spans(image.shape[0], side, overlap, strides):
        for column in across:
            window = np.ascontiguousarray(image[row.start : row.stop, column.start : column.stop])
            height, width = len(row.weights), len(column.weights)
            logits = backend.logits(window[None])[0, :, :height, :width]
            area = total[:, row.start // stride :, column.start // stride :]
            area[:, :height, :width] += logits * row.weights[:, None] * column.weights
    return total


def _share(bell: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float32]:
    return (bell / total[: len(bell)]).astype(np.float32)
