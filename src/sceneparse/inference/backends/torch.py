"""PyTorch as a backend."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sceneparse.inference.backend import Counts, LabelMap
from sceneparse.labels import Labels, Mask
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.precision import exact_products, sum_dtype
from sceneparse.ops.upsampling import BITS_PER_NAT, Tile, argmax, tile_bytes, tiles

# Makes the context in which a network runs, for mixed precision.
Autocast = Callable[[], AbstractContextManager[Any]]

# Tensors of the size of a tile that deciding holds at a time.
_TENSORS_OF_A_TILE = 4


class TorchBackend:
    """A segmenter on its device."""

    def __init__(
        self,
        segmenter: nn.Module,
        labels: Labels,
        strides: tuple[int, int],
        device: torch.device,
        autocast: Autocast,
        memory_budget_mb: int = 256,
    ) -> None:
        """Wrap a segmenter that is on its device.

        Args:
            segmenter: Turns images `(B, 3, H, W)` uint8 into logits `(B, C, h, w)`.
            labels: The classes.
            strides: Input stride and output stride of the network.
            device: Where the segmenter is.
            autocast: The precision to run it in.
            memory_budget_mb: Most memory in MiB that deciding takes beside its input and answer.
        """
        self.num_classes = labels.num_classes
        self.input_stride, self.output_stride = strides
        self._segmenter = segmenter
        self._labels = labels
        self._device = device
        self._autocast = autocast
        budget = memory_budget_mb * 2**20 // _TENSORS_OF_A_TILE
        self._tile_bytes = min(budget, tile_bytes(device))

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits `(B, C, h, w)` of images `(B, H, W, 3)`."""
        batch = as_tensor(images).to(self._device).permute(0, 3, 1, 2)
        with evaluating(self._segmenter), self._autocast():
            logits: Tensor = self._segmenter(batch)
        return logits.float().cpu().numpy()

    @torch.inference_mode()
    def label_map(
        self, logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int]
    ) -> LabelMap:
        """Decide at a size, tile by tile: argmax and its softmax probability."""
        mask = np.empty(size, self._labels.dtype)
        confidence = np.empty(size, np.float32)
        for part in self._decisions(logits, covered, size):
            norm = part.shifted.mul_(BITS_PER_NAT).exp2_().sum(dim=1)
            mask[part.pixels] = part.classes.cpu().numpy()
            confidence[part.pixels] = norm.reciprocal_().cpu().numpy()
        return LabelMap(mask, confidence)

    @torch.inference_mode()
    def score(
        self, logits: NDArray[np.float32], covered: tuple[float, float], target: Mask
    ) -> Counts:
        """Decide at the size of the ground truth, tile by tile, and count."""
        size = (target.shape[0], target.shape[1])
        ids = as_tensor(target).to(self._device)
        if ids.dtype == torch.uint16:
            # In which torch moves numbers, and computes hardly anything.
            ids = ids.int()
        prediction = torch.empty(size, dtype=torch.int32, device=self._device)
        loss = torch.zeros((), dtype=sum_dtype(self._device), device=self._device)
        for part in self._decisions(logits, covered, size):
            prediction[part.pixels] = part.classes.int()
            loss += self._loss(part.shifted, ids[part.pixels])
        confusion = tensor_confusion_matrix(
            prediction, ids, self.num_classes, self._labels.ignore_index
        )
        return Counts(confusion.cpu().numpy(), float(loss))

    def _loss(self, shifted: Tensor, target: Tensor) -> Tensor:
        """Sum the cross-entropy of logits less their maximum `(R, C, K)`, which are overwritten."""
        true = target.long().clamp_(max=shifted.shape[1] - 1)[:, None]
        own = shifted.gather(1, true)[:, 0]
        bits = shifted.mul_(BITS_PER_NAT).exp2_().sum(dim=1).log2_()
        nats = bits.div_(BITS_PER_NAT).sub_(own)
        valid = target != self._labels.ignore_index
        return nats.where(valid, 0.0).sum(dtype=sum_dtype(self._device))

    def _decisions(
        self, logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int]
    ) -> Iterator["_Decision"]:
        """Decide tile by tile."""
        cells = torch.from_numpy(logits).to(self._device).transpose(0, 1).contiguous()
        rows, classes, columns = cells.shape
        cut = tiles(size, (rows, columns), covered, classes, self._device, self._tile_bytes)
        for tile in cut:
            with exact_products(self._device):
                decision = _decided(tile, cells)
            yield decision


@contextmanager
def evaluating(network: nn.Module) -> Generator[None]:
    """Let a network predict inside the `with`, and afterwards go on with what it was doing."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def as_tensor(array: NDArray[np.generic]) -> Tensor:
    """Share an array with torch, which wants it writable: images of a cache are not."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


class _Decision(NamedTuple):
    """What was decided in a tile.

    Attributes:
        pixels: Where it lies.
        classes: `(R, K)`.
        shifted: Logits less their maximum, `(R, C, K)`.
    """

    pixels: tuple[slice, slice]
    classes: Tensor
    shifted: Tensor


def _decided(tile: Tile, cells: Tensor) -> _Decision:
    wide = tile.upsampled(cells)
    shifted = wide.sub_(wide.amax(dim=1, keepdim=True))
    return _Decision(tile.pixels, argmax(shifted), shifted)
