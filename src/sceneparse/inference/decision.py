"""From logits to labels, confidence and counts, whatever network computed the logits.

Logits are upsampled to the size of the output a tile at a time: no tensor of all classes at that
size is ever made. An array is decided on by NumPy, so that an exported model predicts where torch
is not installed; a torch tensor by torch, on its device.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.network import ImageLogits
from sceneparse.labels import Mask
from sceneparse.metrics.scores import ConfusionMatrix, confusion_matrix
from sceneparse.ops.interpolation import positions

# Arrays of the size of a tile that are held at a time: logits, their rows and exponentials.
_ARRAYS_OF_A_TILE = 4
# A tile of fp32 logits that fits the L2 cache of a processor core.
_TILE_BYTES = 2**20
# Narrow tiles touch few columns of the feature map, so that their matrix products are small.
_TILE_COLUMNS = 128


class LabelMap(NamedTuple):
    """The segmentation of one image.

    Attributes:
        mask: Train ids `(H, W)`.
        confidence: Softmax probability of the class chosen, `(H, W)` float32 in 0..1.
    """

    mask: Mask
    confidence: NDArray[np.float32]


class Counts(NamedTuple):
    """What one image adds to the scores.

    Attributes:
        confusion: int64 confusion matrix `(C, C + 1)`.
        loss: Cross-entropy in nats, summed over the valid pixels.
    """

    confusion: ConfusionMatrix
    loss: float


def label_map(
    logits: ImageLogits, size: tuple[int, int], dtype: type[np.unsignedinteger[Any]], max_bytes: int
) -> LabelMap:
    """Upsample logits and choose the most probable class of each pixel.

    Args:
        logits: Logits of an image, `(C, h, w)`.
        size: Height and width of the output.
        dtype: Type of the mask, which must hold C - 1.
        max_bytes: Memory to use beside logits and output.
    """
    if not isinstance(logits.values, np.ndarray):
        from sceneparse.inference.tensor_decision import tensor_label_map

        return tensor_label_map(logits.values, logits.covered, size, dtype, max_bytes)
    mask = np.empty(size, dtype)
    confidence = np.empty(size, np.float32)
    for tile in _tiles(logits.values, logits.covered, size, max_bytes):
        mask[tile.pixels] = tile.classes
        confidence[tile.pixels] = 1 / _exp_sum(tile.shifted)
    return LabelMap(mask, confidence)


def score(logits: ImageLogits, target: Mask, ignore_index: int, max_bytes: int) -> Counts:
    """Choose the classes at the size of the ground truth, and count.

    Args:
        logits: Logits of an image, `(C, h, w)`.
        target: Train ids `(H, W)` in 0..C - 1, or `ignore_index`.
        ignore_index: Train id of void.
        max_bytes: Memory to use beside logits, target and prediction.
    """
    if not isinstance(logits.values, np.ndarray):
        from sceneparse.inference.tensor_decision import tensor_score

        return tensor_score(logits.values, logits.covered, target, ignore_index, max_bytes)
    classes = len(logits.values)
    prediction = np.empty(target.shape, np.int32)
    loss = 0.0
    size = (target.shape[0], target.shape[1])
    for tile in _tiles(logits.values, logits.covered, size, max_bytes):
        prediction[tile.pixels] = tile.classes
        loss += _cross_entropy(tile.shifted, target[tile.pixels], ignore_index)
    return Counts(confusion_matrix(prediction, target, classes, ignore_index), loss)


class _Tile(NamedTuple):
    """The decision in a rectangle of the output.

    Attributes:
        pixels: Where it lies.
        classes: The most probable class of each pixel, int64 `(R, K)`.
        shifted: Logits less their maximum, `(R, K, C)`; the caller may overwrite them.
    """

    pixels: tuple[slice, slice]
    classes: NDArray[np.int64]
    shifted: NDArray[np.float32]


def _tiles(
    logits: NDArray[np.float32],
    covered: tuple[float, float],
    size: tuple[int, int],
    max_bytes: int,
) -> Iterator[_Tile]:
    """Upsample logits `(C, h, w)` and choose the classes, tile by tile.

    The classes are the last axis of a tile, along which NumPy's argmax and sums are fast.
    """
    classes, height, width = logits.shape
    features = np.ascontiguousarray(logits.transpose(1, 2, 0))
    pixels = max(1, min(_TILE_BYTES, max_bytes // _ARRAYS_OF_A_TILE) // (4 * classes))
    columns = min(size[1], _TILE_COLUMNS, pixels)
    all_rows = positions(size[0], size[0], height, covered[0])
    all_columns = positions(size[1], size[1], width, covered[1])
    for own_rows in _slices(size[0], max(1, pixels // columns)):
        upper, rows = all_rows.part(own_rows, height)
        row_weights = rows.weights(upper.stop - upper.start)
        for own_columns in _slices(size[1], columns):
            left, within = all_columns.part(own_columns, width)
            part = features[upper, left]
            tall = (row_weights @ part.reshape(len(part), -1)).reshape(-1, *part.shape[1:])
            weights = within.weights(left.stop - left.start)
            tile = np.matmul(weights, tall, dtype=np.float32)
            best = tile.argmax(axis=-1)
            tile -= np.take_along_axis(tile, best[..., None], axis=-1)
            yield _Tile((own_rows, own_columns), best, tile)


def _slices(size: int, step: int) -> Iterator[slice]:
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


def _exp_sum(shifted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum the exponentials `(R, K)` of logits `(R, K, C)`, which are overwritten."""
    np.exp(shifted, out=shifted)
    return shifted @ np.ones(shifted.shape[-1], np.float32)


def _cross_entropy(shifted: NDArray[np.float32], target: Mask, ignore_index: int) -> float:
    """Sum the cross-entropy of logits less their maximum `(R, K, C)`, which are overwritten."""
    index = target.clip(max=shifted.shape[-1] - 1)[..., None]
    own = np.take_along_axis(shifted, index.astype(np.intp), axis=-1)[..., 0]
    nats = np.log(_exp_sum(shifted)) - own
    return float(nats[target != ignore_index].sum(dtype=np.float64))
