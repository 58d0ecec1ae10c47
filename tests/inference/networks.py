"""Small networks for tests of inference."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sceneparse.inference.backends.torch import TorchNetwork
from sceneparse.inference.network import as_array
from sceneparse.labels import Labels

Floats = NDArray[np.float32]


def labels_of(classes: int) -> Labels:
    return Labels(
        tuple(f"class {number}" for number in range(classes)),
        tuple((number, 0, 0) for number in range(classes)),
        tuple(range(classes)),
    )


class SquaresNetwork(nn.Module):
    """Mean colours of squares of a stride, through a 1×1 convolution: no context beyond them."""

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


def network_of(segmenter: nn.Module, classes: int, stride: int) -> TorchNetwork:
    """Wrap a segmenter that has the same stride for its input and its output."""
    return TorchNetwork(
        segmenter,
        num_classes=classes,
        input_stride=stride,
        output_stride=stride,
        device=torch.device("cpu"),
    )


class ArrayNetwork:
    """A network whose logits are arrays, as the `Network` protocol allows."""

    def __init__(self, network: TorchNetwork) -> None:
        self.num_classes = network.num_classes
        self.input_stride, self.output_stride = network.input_stride, network.output_stride
        self.network = network

    def logits(self, images: NDArray[np.uint8]) -> Floats:
        return as_array(self.network.logits(images))


def random_image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
