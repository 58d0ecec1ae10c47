"""A process's share of a batch, computed in parts where memory does not hold it at once."""

import copy
from collections.abc import Generator
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sceneparse.models.segmenter import FeatureLoss, Segmenter


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


def has_unused_parameters(segmenter: Segmenter, loss: FeatureLoss) -> bool:
    """Tell whether a training step leaves a parameter without a gradient, as do some of timm's.

    One small step of a copy on the CPU tells; the network and the random numbers stay as they are.
    """
    trial = copy.deepcopy(segmenter).train()
    _forward(trial, loss, 2 * segmenter.network.input_stride).backward()
    learned = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    return any(parameter.grad is None for parameter in learned)


def single_value_norms(segmenter: Segmenter, loss: FeatureLoss, side: int) -> list[str]:
    """Name the batch norms that see a single value per channel of one image in training.

    Such a value has no variance, so that PyTorch refuses to train on one image at a time. A small
    step of a copy tells; the network and the random numbers stay as they are.

    Args:
        segmenter: The network, on the CPU.
        loss: What it is trained on.
        side: Of the image, in pixels.
    """
    trial = copy.deepcopy(segmenter).train()
    found: dict[str, None] = {}

    def note(name: str, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        features = inputs[0]
        # Frozen layers use their running statistics.
        if layer.training and features.numel() == features.shape[0] * features.shape[1]:
            found[name] = None

    for name, layer in trial.named_modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.register_forward_pre_hook(partial(note, name))
    _forward(trial, loss, side)
    return list(found)


def _forward(trial: Segmenter, loss: FeatureLoss, side: int) -> Tensor:
    """Compute the loss of two black images without moving the random numbers."""
    with torch.random.fork_rng([]):
        image = torch.zeros(2, 3, side, side, dtype=torch.uint8)
        return trial(image, torch.zeros(2, side, side, dtype=torch.uint8), loss).total
