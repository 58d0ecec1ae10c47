"""Which parameters share a learning rate and a weight decay."""

from typing import Any

from torch import nn


def parameter_groups(
    segmenter: nn.Module, lr: float, weight_decay: float, encoder_factor: float
) -> list[dict[str, Any]]:
    """Split parameters by place (encoder or not) and by kind (weights or norms and biases).

    Args:
        segmenter: Parameters whose name has a part `encoder` or `stem` belong to the encoder.
        lr: Learning rate outside the encoder.
        weight_decay: Of weights; norms and biases, all that have one dimension, have none.
        encoder_factor: The encoder's learning rate is this times `lr`.

    Returns:
        Groups for a torch optimizer; each also holds its rate as `base_lr`.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in segmenter.named_parameters():
        if parameter.requires_grad:
            in_encoder = not {"encoder", "stem"}.isdisjoint(name.split("."))
            place = (in_encoder, parameter.ndim > 1)
            groups.setdefault(place, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * (encoder_factor if in_encoder else 1.0),
            "base_lr": lr * (encoder_factor if in_encoder else 1.0),
            "weight_decay": weight_decay if is_weight else 0.0,
        }
        for (in_encoder, is_weight), parameters in groups.items()
    ]
