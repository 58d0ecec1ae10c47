"""Logits of an image from overlapping windows over it."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.network import Logits, Network, like
from sceneparse.inference.slabs import LogitSlabs

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


def blended(image: NDArray[np.uint8], network: Network, side: int, overlap: float) -> LogitSlabs:
    """Blend the logits of overlapping windows into those of an image, in slabs.

    Logits are blended, not probabilities: where windows agree, the blend agrees with them; no
    window needs a softmax over all classes; and the result is logits like those of a network that
    saw the whole image.

    A slab is what no further window changes: the logits of one row of windows at most, or of one
    column if the image is wider than tall. The network runs when a slab is asked for.

    Args:
        image: `(H, W, C)`, both sides multiples of the input stride.
        network: Computes the logits of each window.
        side: Pixels of a window, a multiple of the input stride.
        overlap: Minimum share of a window that the next one overlaps.
    """
    height, width = image.shape[:2]
    stride = network.output_stride
    axis = int(width > height)
    return LogitSlabs(
        _slabs(image.swapaxes(0, axis), network, side, overlap, axis),
        shape=(network.num_classes, -(-height // stride), -(-width // stride)),
        covered=(height / stride, width / stride),
        axis=axis,
    )


def _slabs(
    image: NDArray[np.uint8], network: Network, side: int, overlap: float, axis: int
) -> Iterator[Logits]:
    """Yield the slabs of an image of which axis 0 and `axis` are exchanged."""
    stride = network.output_stride
    strides = network.input_stride, stride
    rows, columns = (spans(length, side, overlap, strides) for length in image.shape[:2])
    # Arrays, or tensors on the device of the network: the sums of what later rows still change.
    changing: Any = None
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        total: Any = None
        for column in columns:
            window = image[row.start : row.stop, column.start : column.stop].swapaxes(0, axis)
            logits: Any = network.logits(np.ascontiguousarray(window)[None])[0]
            logits = logits.swapaxes(1, 1 + axis)
            if total is None:
                total = _with_zeros(changing, len(row.weights), image.shape[1], network, logits)
            height, width = len(row.weights), len(column.weights)
            area = total[:, :, column.start // stride :][:, :, :width]
            across = like(column.weights, logits)
            area += logits[:, :height, :width] * like(row.weights[:, None], logits) * across
        end = len(row.weights) if following is None else (following.start - row.start) // stride
        changing = total[:, end:]
        yield total[:, :end].swapaxes(1, 1 + axis)


def _with_zeros(
    changing: Any, rows: int, image_width: int, network: Network, logits: Logits
) -> Any:
    """Return the sums of a row of windows before they are added: those so far, and zeros."""
    width = -(-image_width // network.output_stride)
    total: Any = like(np.zeros((network.num_classes, rows, width), np.float32), logits)
    if changing is not None:
        total[:, : changing.shape[1]] = changing
    return total


def _share(bell: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float32]:
    return (bell / total[: len(bell)]).astype(np.float32)
