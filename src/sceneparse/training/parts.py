"""A process's share of a batch, computed in parts where memory does not hold it at once."""

import copy
from collections.abc import Generator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from sceneparse.models.segmenter import Loss, Segmenter


def in_parts(
    fabric: Fabric, model: Any, image: Tensor, mask: Tensor, count: int
) -> Generator[tuple[Tensor, Tensor]]:
    """Yield a share part after part; their gradients add up before the processes exchange them.

    The forward and the backward pass of a part have to be done before the next one is asked for.

    Args:
        fabric: What computes them.
        model: The network as Fabric wrapped it.
        image: Images `(B, 3, H, W)`.
        mask: Their masks `(B, H, W)`.
        count: Number of parts; of fewer images, each is a part.
    """
    count = min(count, len(image))
    parts = zip(image.tensor_split(count), mask.tensor_split(count), strict=True)
    for number, part in enumerate(parts, start=1):
        with fabric.no_backward_sync(model, enabled=number < count):
            yield part


def has_unused_parameters(segmenter: Segmenter, loss: Loss) -> bool:
    """Return whether a training step leaves a parameter without a gradient, as in some timm models.

    A small step of a copy on the CPU finds out. The network and the random state stay unchanged.
    """
    trial = copy.deepcopy(segmenter).train()
    trial_loss(trial, loss, 2 * segmenter.network.input_stride).backward()
    learned = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    return any(parameter.grad is None for parameter in learned)


def trial_loss(trial: Segmenter, loss: Loss, side: int) -> Tensor:
    """Compute the loss of two black images and leave the random state unchanged."""
    with torch.random.fork_rng([]):
        image = torch.zeros(2, 3, side, side, dtype=torch.uint8)
        return trial(image, torch.zeros(2, side, side, dtype=torch.uint8), loss).total
