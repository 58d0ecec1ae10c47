"""Move networks to their device, and build their optimizers."""

from typing import Literal

import torch

from sceneparse.models.encoder import parameters_by_stage
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.parameter_groups import parameter_groups
from sceneparse.optimization.settings import OptimizerSettings


def on_device(
    segmenter: Segmenter,
    device: torch.device,
    memory_format: Literal["channels_last", "contiguous"] = "channels_last",
) -> Segmenter:
    """Move a network to a device, in a memory format that suits its convolutions."""
    layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
    return segmenter.to(device).to_memory_format(layouts[memory_format])


def optimizer(
    settings: OptimizerSettings, segmenter: Segmenter, *, fused: bool = False
) -> torch.optim.Optimizer:
    """Build the optimizer of a network that is already on its device.

    Args:
        settings: Settings of the optimizer.
        segmenter: The network.
        fused: Whether one kernel updates a weight together with its optimizer state.
    """
    groups = parameter_groups(
        segmenter,
        settings.lr,
        settings.weight_decay,
        settings.encoder_lr_mult,
        settings.layer_decay,
        parameters_by_stage(segmenter.network) if settings.layer_decay < 1 else (),
    )
    return settings.build(groups, fused=fused)
