"""How a network tells what it is made of."""

from typing import NamedTuple


class Block(NamedTuple):
    """One block of a U-Net as built.

    Attributes:
        name: Such as `encoder 1`, `bottleneck`, `decoder 1`, `head`.
        in_channels: Channels that go in, the skip included.
        out_channels: Channels that come out.
        stride: Pixels of input per cell of the output.
        skips: Names of the blocks whose outputs are concatenated.
    """

    name: str
    in_channels: int
    out_channels: int
    stride: int
    skips: tuple[str, ...] = ()


def mermaid(blocks: list[Block]) -> str:
    """Draw a chain of blocks and their skips as a Mermaid flow chart."""
    lines = ["graph TD", "    image[Image: 3 channels]"]
    before = "image"
    for block in blocks:
        node = _node(block.name)
        text = f"{block.name}: {block.in_channels}→{block.out_channels}, stride {block.stride}"
        lines += [f"    {node}[{text}]", f"    {_node(before)} --> {node}"]
        lines += [f"    {_node(skip)} -- skip --> {node}" for skip in block.skips]
        before = node
    return "\n".join(lines)


def _node(name: str) -> str:
    return name.replace(" ", "_")
