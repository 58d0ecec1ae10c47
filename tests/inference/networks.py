"""Networks whose answers are known beforehand, as backends."""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sceneparse.inference.backends.torch import TorchBackend
from sceneparse.labels import Labels

Floats = NDArray[np.float32]


def labels_of(classes: int) -> Labels:
    return Labels(
        tuple(f"class {number}" for number in range(classes)),
        tuple((number, 0, 0) for number in range(classes)),
        tuple(range(classes)),
    )


class CellNetwork(nn.Module):
    """Mean colours of each cell, through a 1×1 convolution: it sees nothing beyond a cell."""

    def __init__(self, classes: int, stride: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stride = stride
        self.head = nn.Conv2d(3, classes, 1)
        nn.init.normal_(self.head.weight, std=8)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        padding = (0, -width % self.stride, 0, -height % self.stride)
        padded = nn.functional.pad(image.float() / 255, padding, mode="replicate")
        return self.head(nn.functional.avg_pool2d(padded, self.stride))


class Function(nn.Module):
    """A function of images `(B, 3, H, W)` as a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def backend_of(network: nn.Module, classes: int, stride: int) -> TorchBackend:
    """Wrap a network that has the same stride for its input and its output."""
    cpu = torch.device("cpu")
    return TorchBackend(network, labels_of(classes), (stride, stride), cpu, nullcontext)


def random_image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
