"""The decision for logits that are torch tensors, on their device."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sceneparse.inference.backends.torch import as_tensor
from sceneparse.inference.decision import Counts, LabelMap
from sceneparse.inference.slabs import LogitSlabs
from sceneparse.labels import Mask
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.precision import exact_products, sum_dtype
from sceneparse.ops.upsampling import BITS_PER_NAT, Tile, argmax, tile_bytes, tiles

# Tensors of the size of a tile that are held at a time.
_TENSORS_OF_A_TILE = 4


@torch.inference_mode()
def tensor_label_map(
    logits: LogitSlabs,
    size: tuple[int, int],
    dtype: type[np.unsignedinteger[Any]],
    max_bytes: int,
) -> LabelMap:
    """Upsample logits and choose the most probable class of each pixel, as `label_map` does.

    Args:
        logits: `(C, h, w)`, as tensors.
        size: Height and width of the output.
        dtype: Type of the mask, which must hold C - 1.
        max_bytes: Memory to use beside logits and output.
    """
    mask = np.empty(size, dtype)
    confidence = np.empty(size, np.float32)
    for decision in _decisions(logits, size, max_bytes):
        norm = decision.shifted.mul_(BITS_PER_NAT).exp2_().sum(dim=1)
        mask[decision.pixels] = decision.classes.cpu().numpy()
        confidence[decision.pixels] = norm.reciprocal_().cpu().numpy()
    return LabelMap(mask, confidence)


@torch.inference_mode()
def tensor_score(
    logits: LogitSlabs,
    target: Mask,
    ignore_index: int,
    max_bytes: int,
) -> Counts:
    """Choose the classes at the size of the ground truth and count, as `score` does.

    Args:
        logits: `(C, h, w)`, as tensors.
        target: Train ids `(H, W)` in 0..C - 1, or `ignore_index`.
        ignore_index: Train id of void.
        max_bytes: Memory to use beside logits, target and prediction.
    """
    device = _device(logits)
    size = (target.shape[0], target.shape[1])
    ids = as_tensor(target).to(device)
    if ids.dtype == torch.uint16:
        # torch moves uint16, and computes hardly anything in it.
        ids = ids.int()
    prediction = torch.empty(size, dtype=torch.int32, device=device)
    loss = torch.zeros((), dtype=sum_dtype(device), device=device)
    for decision in _decisions(logits, size, max_bytes):
        prediction[decision.pixels] = decision.classes.int()
        loss += _cross_entropy(decision.shifted, ids[decision.pixels], ignore_index)
    confusion = tensor_confusion_matrix(prediction, ids, logits.shape[0], ignore_index)
    return Counts(confusion.cpu().numpy(), float(loss))


class _Decision(NamedTuple):
    """The decision in a tile.

    Attributes:
        pixels: Where it lies in the output.
        classes: The most probable class of each pixel, `(R, K)`.
        shifted: Logits less their maximum, `(R, C, K)`; the caller may overwrite them.
    """

    pixels: tuple[slice, slice]
    classes: Tensor
    shifted: Tensor


def _decisions(logits: LogitSlabs, size: tuple[int, int], max_bytes: int) -> Iterator[_Decision]:
    """Choose the classes tile by tile."""
    device = _device(logits)
    classes, height, width = logits.shape
    own_bytes = min(max_bytes // _TENSORS_OF_A_TILE, tile_bytes(device))
    cut = tiles(size, (height, width), logits.covered, classes, device, own_bytes)
    for tile, part in logits.parts(cut):
        with exact_products(device):
            decision = _decide(tile, part)
        yield decision


def _decide(tile: Tile, part: Any) -> _Decision:
    upsampled = tile.interpolated(part.transpose(0, 1).contiguous())
    shifted = upsampled.sub_(upsampled.amax(dim=1, keepdim=True))
    return _Decision(tile.pixels, argmax(shifted), shifted)


def _device(logits: LogitSlabs) -> torch.device:
    first: Any = logits.first
    return first.device


def _cross_entropy(shifted: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Sum the cross-entropy of logits less their maximum `(R, C, K)`, which are overwritten."""
    index = target.long().clamp_(max=shifted.shape[1] - 1)[:, None]
    own = shifted.gather(1, index)[:, 0]
    bits = shifted.mul_(BITS_PER_NAT).exp2_().sum(dim=1).log2_()
    nats = bits.div_(BITS_PER_NAT).sub_(own)
    valid = target != ignore_index
    return nats.where(valid, 0.0).sum(dtype=sum_dtype(target.device))
