"""What a network shows to the loss."""

from typing import NamedTuple

from torch import Tensor, nn

# What the names of heads begin with that only training uses.
AUXILIARY = "network.auxiliary."


class Level(NamedTuple):
    """Features at one stride, and the head that makes logits of them.

    Attributes:
        features: What the head sees, `(B, D, h, w)`.
        head: 1×1 convolution to `(B, C, h, w)`.
        stride: Pixels of input per cell.
        weight: What the loss at this level counts.
    """

    features: Tensor
    head: nn.Conv2d
    stride: int
    weight: float = 1.0
