"""From logits to labels, confidence and counts, whatever network computed the logits.

Logits are upsampled to the size of the output a tile at a time: no tensor of all classes at that
size is ever made, and of logits in slabs no more exist than a tile needs. An array is decided on by
NumPy, so that an exported model predicts where torch is not installed; a torch tensor by torch, on
its device.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.loader import prefetch
from sceneparse.inference.network import ImageLogits, as_array
from sceneparse.inference.slabs import LogitSlabs
from sceneparse.labels import Mask
from sceneparse.metrics.scores import ConfusionMatrix, confusion_matrix
from sceneparse.ops.interpolation import positions
from sceneparse.system.processor import usable_cores

Result = TypeVar("Result")

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
    logits: ImageLogits | LogitSlabs,
    size: tuple[int, int],
    dtype: type[np.unsignedinteger[Any]],
    max_bytes: int,
) -> LabelMap:
    """Upsample logits and choose the most probable class of each pixel.

    Args:
        logits: Logits of an image, `(C, h, w)`, as a whole or in slabs.
        size: Height and width of the output.
        dtype: Type of the mask, which must hold C - 1.
        max_bytes: Memory to use beside logits and output.
    """
    slabs = LogitSlabs.of(logits)
    if not isinstance(slabs.first, np.ndarray):
        from sceneparse.inference.tensor_decision import tensor_label_map

        return tensor_label_map(slabs, size, dtype, max_bytes)
    mask = np.empty(size, dtype)
    confidence = np.empty(size, np.float32)

    def decide(tile: _Tile) -> None:
        mask[tile.pixels] = tile.classes
        confidence[tile.pixels] = 1 / _exp_sum(tile.shifted)

    for _ in _decided(slabs, size, max_bytes, decide):
        pass
    return LabelMap(mask, confidence)


def labels_only(
    logits: ImageLogits | LogitSlabs,
    size: tuple[int, int],
    dtype: type[np.unsignedinteger[Any]],
    max_bytes: int,
) -> Mask:
    """Choose the same classes as `label_map`, without confidence, which takes most of its time.

    In a tile, a class is upsampled only if it can win: if its largest logit is not below the
    smallest logit of another class, since upsampled values lie between those around them. Of 150
    classes these are about ten.

    Args:
        logits: Logits of an image, `(C, h, w)`, as a whole or in slabs.
        size: Height and width of the output.
        dtype: Type of the mask, which must hold C - 1.
        max_bytes: Memory to use beside logits and output.
    """
    slabs = LogitSlabs.of(logits)
    if not isinstance(slabs.first, np.ndarray) and slabs.first.device.type != "cpu":
        return label_map(slabs, size, dtype, max_bytes).mask
    mask = np.empty(size, dtype)
    for rectangle, part in _parts(slabs, size, max_bytes):
        threshold = part.min(axis=(1, 2)).max()
        # Rounding may lift an upsampled value slightly above those around it.
        classes = np.flatnonzero(part.max(axis=(1, 2)) >= threshold - 1e-5 * abs(threshold))
        pixels = rectangle.rows.pixels, rectangle.columns.pixels
        if len(classes) == 1:
            mask[pixels] = classes[0]
        else:
            mask[pixels] = classes[_upsampled(rectangle, part[classes]).argmax(axis=-1)]
    return mask


def score(
    logits: ImageLogits | LogitSlabs, target: Mask, ignore_index: int, max_bytes: int
) -> Counts:
    """Choose the classes at the size of the ground truth, and count.

    Args:
        logits: Logits of an image, `(C, h, w)`, as a whole or in slabs.
        target: Train ids `(H, W)` in 0..C - 1, or `ignore_index`.
        ignore_index: Train id of void.
        max_bytes: Memory to use beside logits, target and prediction.
    """
    slabs = LogitSlabs.of(logits)
    if not isinstance(slabs.first, np.ndarray):
        from sceneparse.inference.tensor_decision import tensor_score

        return tensor_score(slabs, target, ignore_index, max_bytes)
    prediction = np.empty(target.shape, np.int32)
    size = (target.shape[0], target.shape[1])

    def decide(tile: _Tile) -> float:
        prediction[tile.pixels] = tile.classes
        return _cross_entropy(tile.shifted, target[tile.pixels], ignore_index)

    loss = sum(_decided(slabs, size, max_bytes, decide))
    return Counts(confusion_matrix(prediction, target, slabs.shape[0], ignore_index), loss)


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


class _Side(NamedTuple):
    """Rows or columns of a tile.

    Attributes:
        pixels: The output rows or columns.
        sources: Those of the feature map that they are interpolated from.
        weights: How, `(pixels, sources)`.
    """

    pixels: slice
    sources: slice
    weights: NDArray[np.float32]


class _Rectangle(NamedTuple):
    """Where a tile lies, and how it is interpolated.

    Attributes:
        rows: Its rows.
        columns: Its columns.
    """

    rows: _Side
    columns: _Side

    @property
    def sources(self) -> tuple[slice, slice]:
        """The rows and columns of the feature map that it is interpolated from."""
        return self.rows.sources, self.columns.sources


def _decided(
    logits: LogitSlabs, size: tuple[int, int], max_bytes: int, decide: Callable[[_Tile], Result]
) -> Iterator[Result]:
    """Upsample logits `(C, h, w)`, choose the classes, and yield `decide(tile)` in order.

    Each processor core takes a tile, because NumPy computes in one thread, without Python's lock.
    The classes are the last axis of a tile, along which NumPy's argmax and sums are fast.
    """
    threads = usable_cores()

    def computed(found: tuple[_Rectangle, NDArray[np.float32]]) -> Result:
        rectangle, part = found
        tile = _upsampled(rectangle, part)
        best = tile.argmax(axis=-1)
        tile -= np.take_along_axis(tile, best[..., None], axis=-1)
        pixels = rectangle.rows.pixels, rectangle.columns.pixels
        return decide(_Tile(pixels, best, tile))

    parts = _parts(logits, size, max_bytes // threads)
    return prefetch(computed, parts, threads=threads, ahead=2 * threads)


def _parts(
    logits: LogitSlabs, size: tuple[int, int], max_bytes: int
) -> Iterator[tuple[_Rectangle, NDArray[np.float32]]]:
    """Yield where each tile lies, and the logits `(C, h', w')` that it is interpolated from."""
    classes, height, width = logits.shape
    pixels = max(1, min(_TILE_BYTES, max_bytes // _ARRAYS_OF_A_TILE) // (4 * classes))
    columns = min(size[1], _TILE_COLUMNS, pixels)
    every_column = list(_sides(size[1], width, logits.covered[1], columns))
    rectangles = [
        _Rectangle(own_rows, own_columns)
        for own_rows in _sides(size[0], height, logits.covered[0], max(1, pixels // columns))
        for own_columns in every_column
    ]
    for rectangle, part in logits.parts(rectangles):
        yield rectangle, as_array(part)


# Products ignore the flag for invalid values: some kernels of OpenBLAS also compute with bytes
# beside an array, and report what they find in them (numpy/numpy#24067).
@np.errstate(invalid="ignore")
def _upsampled(rectangle: _Rectangle, part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Upsample the logits `(C, h', w')` around a tile to it, `(R, K, C)`."""
    features = np.ascontiguousarray(part.transpose(1, 2, 0))
    tall = rectangle.rows.weights @ features.reshape(len(features), -1)
    tall = tall.reshape(-1, *features.shape[1:])
    return np.matmul(rectangle.columns.weights, tall, dtype=np.float32)


def _sides(size: int, source_size: int, covered: float, step: int) -> Iterator[_Side]:
    """Cut one side of the output into those of tiles."""
    found = positions(size, size, source_size, covered)
    for start in range(0, size, step):
        pixels = slice(start, min(start + step, size))
        sources, within = found.part(pixels, source_size)
        yield _Side(pixels, sources, within.weights(sources.stop - sources.start))


@np.errstate(invalid="ignore")
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
