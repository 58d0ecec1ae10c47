"""What moves the weights, and at which rate."""

from typing import assert_never

import torch

from sceneparse.config import (
    Adam,
    AdamW,
    Constant,
    Cosine,
    OneCycle,
    OptimizerConfig,
    Plateau,
    Poly,
    ScheduleConfig,
    Sgd,
)
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.stages import encoder_stages
from sceneparse.optimization import schedule as schedules
from sceneparse.optimization.parameters import parameter_groups


def optimizer(
    config: OptimizerConfig, segmenter: Segmenter, *, fused: bool = False
) -> torch.optim.Optimizer:
    """Make the optimizer of a network's parameters, which are on their device.

    Args:
        config: Which one.
        segmenter: The network.
        fused: Update all that an optimizer keeps of a weight in one pass over memory.
    """
    groups = parameter_groups(
        segmenter,
        config.lr,
        config.weight_decay,
        config.encoder_lr_mult,
        config.layer_decay,
        encoder_stages(segmenter.network) if config.layer_decay < 1 else (),
    )
    match config:
        case Adam():
            return torch.optim.Adam(groups, fused=fused)
        case AdamW():
            return torch.optim.AdamW(groups, fused=fused)
        case Sgd():
            nesterov = config.momentum > 0
            return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, fused=fused)
        case _:
            assert_never(config)


def schedule(config: ScheduleConfig, total_steps: int) -> schedules.Schedule:
    """Make the learning-rate schedule of a run."""
    match config:
        case OneCycle():
            return schedules.OneCycle(total_steps, config.warmup, config.start, config.end)
        case Constant() | Plateau() | Poly() | Cosine():
            rising = round(config.warmup * total_steps)
            return schedules.WarmUp(_after_warm_up(config, total_steps - rising), rising)
        case _:
            assert_never(config)


def _after_warm_up(config: Constant | Plateau | Poly | Cosine, steps: int) -> schedules.Schedule:
    match config:
        case Constant():
            return schedules.Constant()
        case Plateau():
            return schedules.Plateau(config.factor, config.patience)
        case Poly():
            return schedules.Poly(steps, config.power, config.end)
        case Cosine():
            return schedules.Cosine(steps, config.end)
        case _:
            assert_never(config)
