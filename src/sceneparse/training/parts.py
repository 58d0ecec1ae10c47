"""Gradient accumulation: compute a process's share of a batch in parts that fit into memory."""

import copy
from collections.abc import Generator
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from sceneparse.models.segmenter import FeatureLoss, Segmenter


def in_parts(
    model: nn.Module, image: Tensor, mask: Tensor, count: int
) -> Generator[tuple[Tensor, Tensor]]:
    """Yield the parts of a batch; DDP exchanges gradients in the last one only.

    The caller runs the forward and the backward pass of a part before it takes the next one.

    Args:
        model: The network, wrapped in DDP if there are several processes.
        image: Images `(B, C, H, W)`.
        mask: Masks `(B, H, W)`.
        count: Number of parts; with fewer images than that, each image is a part.

    Yields:
        Images `(b, C, H, W)` and masks `(b, H, W)` of a part.
    """
    # DDP's method, also where torch.compile wraps it; there is nothing to exchange without DDP.
    no_sync = getattr(model, "no_sync", nullcontext)
    count = min(count, len(image))
    parts = zip(image.tensor_split(count), mask.tensor_split(count), strict=True)
    for number, part in enumerate(parts, start=1):
        with no_sync() if number < count else nullcontext():
            yield part


def has_unused_parameters(segmenter: Segmenter, loss: FeatureLoss) -> bool:
    """Return whether a training step leaves a parameter without a gradient, as in some timm models.

    A small step of a copy on the CPU finds out. The network and the random state stay unchanged.
    """
    trial = copy.deepcopy(segmenter).train()
    trial_loss(trial, loss, 2 * segmenter.network.input_stride).backward()
    learned = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    return any(parameter.grad is None for parameter in learned)


def trial_loss(trial: Segmenter, loss: FeatureLoss, side: int) -> Tensor:
    """Compute the loss of two black images and leave the random state unchanged."""
    with torch.random.fork_rng([]):
        image = torch.zeros(2, trial.channels, side, side, dtype=torch.uint8)
        return trial(image, torch.zeros(2, side, side, dtype=torch.uint8), loss).total
