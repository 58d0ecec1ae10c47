"""The structure of a network: its blocks as a diagram, its layers as a table."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sceneparse.models.segmenter import Segmenter


class NetworkBlock(NamedTuple):
    """A block of a U-Net: an encoder stage, a decoder level, or the head.

    Attributes:
        name: Such as `encoder 1`, `bottleneck`, `decoder 1`, `head`.
        in_channels: Input channels, those of the skip connection included.
        out_channels: Output channels.
        stride: Stride of the output: pixels of the image per pixel of the feature map.
        skips: Names of the blocks whose outputs are concatenated.
    """

    name: str
    in_channels: int
    out_channels: int
    stride: int
    skips: tuple[str, ...] = ()


class LayerSummary(NamedTuple):
    """A layer with parameters of its own.

    Attributes:
        name: Path of the module.
        kind: Name of its class.
        shape: Shape of its output, `(C, h, w)`.
        parameters: Number of its parameters.
        multiply_adds: Multiply-adds for one image, of convolutions and linear layers only.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def mermaid_diagram(blocks: list[NetworkBlock]) -> str:
    """Draw a chain of blocks and their skip connections as a Mermaid flow chart."""
    lines = ["graph TD", f"    image[Image: {blocks[0].in_channels} channels]"]
    previous = "image"
    for block in blocks:
        node = _node(block.name)
        text = f"{block.name}: {block.in_channels}→{block.out_channels}, stride {block.stride}"
        lines += [f"    {node}[{text}]", f"    {_node(previous)} --> {node}"]
        lines += [f"    {_node(skip)} -- skip --> {node}" for skip in block.skips]
        previous = node
    return "\n".join(lines)


def _node(name: str) -> str:
    return name.replace(" ", "_")


@torch.no_grad()
def summarize_layers(segmenter: "Segmenter", size: int) -> list[LayerSummary]:
    """List the layers in the order in which they run on an image of `size × size` pixels."""
    layers: list[LayerSummary] = []

    def register(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def add(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            parameters = sum(parameter.numel() for parameter in module.parameters(recurse=False))
            layers.append(
                LayerSummary(
                    name=name,
                    kind=type(module).__name__,
                    shape=tuple(output.shape[1:]),
                    parameters=parameters,
                    multiply_adds=_multiply_adds(module, output),
                )
            )

        return module.register_forward_hook(add)

    handles = [
        register(name, module)
        for name, module in segmenter.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    training = segmenter.training
    segmenter.eval()(torch.zeros(1, segmenter.channels, size, size, dtype=torch.uint8))
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
