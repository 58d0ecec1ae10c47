"""Parameter groups: which parameters share a learning rate and a weight decay."""

from collections.abc import Collection, Sequence
from typing import Any

from torch import nn


def parameter_groups(
    segmenter: nn.Module,
    lr: float,
    weight_decay: float,
    encoder_lr_mult: float,
    layer_decay: float = 1.0,
    stages: Sequence[Collection[nn.Parameter]] = (),
) -> list[dict[str, Any]]:
    """Group the trainable parameters by encoder stage, and into weights and other parameters.

    Args:
        segmenter: The network. A parameter belongs to the encoder if its name has a part `encoder`
            or `stem`.
        lr: Learning rate outside the encoder.
        weight_decay: Weight decay of weights; norms and biases, which have one dimension, have
            none.
        encoder_lr_mult: Factor on `lr` of the deepest encoder stage.
        layer_decay: Factor on the learning rate of each encoder stage relative to the next deeper
            one (Howard & Ruder, 2018, section 3.2).
        stages: Parameters of each encoder stage, shallowest first. Encoder parameters in none of
            them have the learning rate of the deepest stage.

    Returns:
        Groups for a torch optimizer; each also holds its learning rate as `base_lr`.
    """
    stages_from_deepest = {
        parameter: number for number, stage in enumerate(reversed(stages)) for parameter in stage
    }
    groups: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
    for name, parameter in segmenter.named_parameters():
        if parameter.requires_grad:
            in_encoder = not {"encoder", "stem"}.isdisjoint(name.split("."))
            lr_mult = encoder_lr_mult * layer_decay ** stages_from_deepest.get(parameter, 0)
            key = (in_encoder, lr_mult if in_encoder else 1.0, parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * lr_mult,
            "base_lr": lr * lr_mult,
            "weight_decay": weight_decay if is_weight else 0.0,
        }
        for (_, lr_mult, is_weight), parameters in groups.items()
    ]
