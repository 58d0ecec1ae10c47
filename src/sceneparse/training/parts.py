"""A process's share of a batch, computed in parts where memory does not hold it at once."""

from collections.abc import Generator
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor


def in_parts(
    fabric: Fabric, model: Any, image: Tensor, mask: Tensor, count: int
) -> Generator[tuple[Tensor, Tensor]]:
    """Yield a share part after part; their gradients add up before the processes exchange them.

    The forward and the backward pass of a part have to be done before the next one is asked for.

    Args:
        fabric: What computes them.
        model: The network as Fabric wrapped it.
        image: Pictures `(B, 3, H, W)`.
        mask: Their masks `(B, H, W)`.
        count: Number of parts; of fewer pictures, each is a part.
    """
    count = min(count, len(image))
    parts = zip(image.tensor_split(count), mask.tensor_split(count), strict=True)
    for number, part in enumerate(parts, start=1):
        with fabric.no_backward_sync(model, enabled=number < count):
            yield part
