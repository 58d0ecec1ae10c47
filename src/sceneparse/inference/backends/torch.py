"""Networks that PyTorch runs."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# Makes the context in which a network runs, for mixed precision.
Autocast = Callable[[], AbstractContextManager[Any]]


class TorchNetwork:
    """A segmenter on its device."""

    def __init__(
        self,
        segmenter: nn.Module,
        *,
        num_classes: int,
        input_stride: int,
        output_stride: int,
        device: torch.device,
        autocast: Autocast = nullcontext,
        precision: str = "fp32",
    ) -> None:
        """Wrap a segmenter that is on its device.

        Args:
            segmenter: Turns images `(B, D, H, W)` uint8 into logits `(B, C, h, w)`.
            num_classes: Number of classes, C.
            input_stride: Sizes that are multiples of this need no padding.
            output_stride: Pixels of the input per row or column of the logits.
            device: Where the segmenter is.
            autocast: Makes the context that sets the precision; the default leaves it as it is.
            precision: Its name, for messages.
        """
        self.num_classes = num_classes
        self.input_stride = input_stride
        self.output_stride = output_stride
        self._segmenter = segmenter
        self._device = device
        self._autocast = autocast
        self._precision = precision

    def __str__(self) -> str:
        """Return what computes the logits, for messages."""
        return f"PyTorch, {self._precision} on {self._device}"

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8]) -> Tensor:
        """Compute the logits `(B, C, h, w)` of images `(B, H, W, D)`, fp32 on the device."""
        batch = as_tensor(images).to(self._device).permute(0, 3, 1, 2)
        with evaluating(self._segmenter), self._autocast():
            logits: Tensor = self._segmenter(batch)
        return logits.float()


@contextmanager
def evaluating(network: nn.Module) -> Generator[None]:
    """Put a network into evaluation mode inside the `with`, and restore its mode afterwards."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def as_tensor(array: NDArray[np.generic]) -> Tensor:
    """Share an array with torch, which wants it writable: images of a cache are not."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
