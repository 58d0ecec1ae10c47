"""Operations on many tensors at once: a few kernels on a GPU, and not one for each tensor.

PyTorch's own optimizers use these functions, but it does not export them.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

_torch = cast("Any", torch)


@torch.no_grad()
def copy_all_(tensors: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copy each source to a tensor of its shape."""
    if tensors:
        _torch._foreach_copy_(tensors, sources)


@torch.no_grad()
def move_towards_(
    tensors: Sequence[Tensor], targets: Sequence[Tensor], factor: float | Tensor
) -> None:
    """Add `factor` times the difference from tensor to target.

    Args:
        tensors: The tensors to change.
        targets: A target of the same shape for each.
        factor: Share of the way, a number or a scalar on the device of the tensors.
    """
    if tensors:
        changes = _torch._foreach_sub(targets, tensors)  # noqa: SLF001 - see above
        _torch._foreach_mul_(changes, factor)
        _torch._foreach_add_(tensors, changes)
