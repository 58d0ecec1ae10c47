"""Which parameters share a learning rate and a weight decay."""

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
    """Split parameters by place (encoder or not) and by kind (weights or norms and biases).

    Args:
        segmenter: Parameters whose name has a part `encoder` or `stem` belong to the encoder.
        lr: Learning rate outside the encoder.
        weight_decay: Of weights; norms and biases, all that have one dimension, have none.
        encoder_lr_mult: The learning rate of the encoder's deepest stage is this times `lr`.
        layer_decay: That of each stage is this times that of the next deeper one (Howard & Ruder,
            2018, section 3.2).
        stages: The parameters of each stage of the encoder, shallowest first; where there are
            none, all of it counts as the deepest.

    Returns:
        Groups for a torch optimizer; each also holds its rate as `base_lr`.
    """
    deeper = {
        parameter: number for number, stage in enumerate(reversed(stages)) for parameter in stage
    }
    groups: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
    for name, parameter in segmenter.named_parameters():
        if parameter.requires_grad:
            in_encoder = not {"encoder", "stem"}.isdisjoint(name.split("."))
            decayed = encoder_lr_mult * layer_decay ** deeper.get(parameter, 0)
            place = (in_encoder, decayed if in_encoder else 1.0, parameter.ndim > 1)
            groups.setdefault(place, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * factor,
            "base_lr": lr * factor,
            "weight_decay": weight_decay if is_weight else 0.0,
        }
        for (_, factor, is_weight), parameters in groups.items()
    ]
