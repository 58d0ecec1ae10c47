"""The layers of a network, measured as an image runs through it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Layer(NamedTuple):
    """One layer with weights of its own.

    Attributes:
        name: Path of the module.
        kind: Its class.
        shape: What comes out, `(C, h, w)`.
        parameters: Number of weights.
        multiply_adds: For one image; convolutions and linear layers are counted.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@torch.no_grad()
def layers_of(segmenter: nn.Module, size: int) -> list[Layer]:
    """List the layers in the order in which an image of `size × size` meets them."""
    layers: list[Layer] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
            adds = _multiply_adds(module, output)
            layers.append(Layer(name, type(module).__name__, tuple(output.shape[1:]), own, adds))

        return module.register_forward_hook(note)

    handles = [
        watch(name, module)
        for name, module in segmenter.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    training = segmenter.training
    segmenter.eval()(torch.zeros(1, 3, size, size, dtype=torch.uint8))
    segmenter.train(training)
    for handle in handles:
        handle.remove()
    return layers


def _multiply_adds(module: nn.Module, output: Tensor) -> int:
    match module:
        case nn.Conv2d():
            return output[0].numel() * module.weight[0].numel()
        case nn.Linear():
            return output[0].numel() * module.in_features
        case _:
            return 0
