"""PyTorch as a backend."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sceneparse.inference.backend import LabelMap
from sceneparse.labels import Labels, Mask
from sceneparse.sums import sum_dtype
from sceneparse.upsample import interpolation_matrix, row_strips

# Bytes of upsampled logits held at a time: they then stay in a core's cache.
STRIP_BYTES = 2 * 2**20


# Makes the context in which a network runs, for mixed precision.
Autocast = Callable[[], AbstractContextManager[Any]]


class TorchBackend:
    """A segmenter on its device."""

    def __init__(
        self,
        segmenter: nn.Module,
        labels: Labels,
        strides: tuple[int, int],
        device: torch.device,
        autocast: Autocast,
    ) -> None:
        """Wrap a segmenter that is on its device.

        Args:
            segmenter: Turns pictures `(B, 3, H, W)` uint8 into logits `(B, C, h, w)`.
            labels: The classes.
            strides: Input stride and output stride of the network.
            device: Where the segmenter is.
            autocast: The precision to run it in.
        """
        self.num_classes = labels.num_classes
        self.input_stride, self.output_stride = strides
        self._segmenter = segmenter
        self._labels = labels
        self._device = device
        self._autocast = autocast

    @torch.inference_mode()
    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits `(C, h, w)` of a picture `(H, W, 3)`."""
        batch = _tensor(image).to(self._device).permute(2, 0, 1)[None]
        training = self._segmenter.training
        self._segmenter.eval()
        try:
            with self._autocast():
                logits: Tensor = self._segmenter(batch)
        finally:
            self._segmenter.train(training)
        return logits[0].float().cpu().numpy()

    @torch.inference_mode()
    def label_map(
        self,
        logits: NDArray[np.float32],
        covered: tuple[float, float],
        size: tuple[int, int],
        truth: Mask | None = None,
    ) -> LabelMap:
        """Decide at a size, strip by strip: argmax, its softmax probability, and the loss."""
        height, width = size
        cells = torch.from_numpy(logits).to(self._device)
        num_classes = cells.shape[0]
        columns = interpolation_matrix(width, cells.shape[2], covered[1]).to(self._device)
        # (h, C, W): the rows of a strip are then mixed by one product.
        widened = cells.permute(1, 0, 2) @ columns.T
        target = None if truth is None else _tensor(truth).to(self._device).long()
        rows = max(1, STRIP_BYTES // (4 * num_classes * width))
        mask = torch.empty(size, dtype=torch.int64, device=self._device)
        confidence = torch.empty(size, device=self._device)
        loss = torch.zeros((), dtype=sum_dtype(self._device), device=self._device)
        for part, band, mix in row_strips(height, cells.shape[1], covered[0], rows):
            flat = mix.to(self._device) @ widened[band].flatten(1)
            strip = flat.view(-1, num_classes, width)
            best, mask[part] = strip.max(dim=1)
            true = None if target is None else _true_logits(strip, target[part], num_classes)
            norm = strip.sub_(best[:, None]).exp_().sum(dim=1)
            confidence[part] = 1 / norm
            if target is not None and true is not None:
                valid = target[part] != self._labels.ignore_index
                nats = best + norm.log() - true
                loss += nats.where(valid, 0.0).sum(dtype=sum_dtype(self._device))
        return LabelMap(
            mask=mask.cpu().numpy().astype(self._labels.dtype),
            confidence=confidence.cpu().numpy(),
            loss=None if truth is None else float(loss),
        )


def _true_logits(strip: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Pick the logits of the true classes `(R, W)` out of `(R, C, W)`; any where it is void."""
    return strip.gather(1, target.clamp(max=num_classes - 1)[:, None])[:, 0]


def _tensor(pixels: NDArray[np.unsignedinteger[Any]]) -> Tensor:
    """Share memory with an array, or copy one that cannot be written to, as a tensor always can."""
    return torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
