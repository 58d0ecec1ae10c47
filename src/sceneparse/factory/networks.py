"""Move networks to their device, wrap them in predictors, and build their optimizers."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, assert_never

import torch

from sceneparse.data.io.decode import DEFAULT_READING, ImageReading
from sceneparse.factory.inference import Precision, predictor_around
from sceneparse.inference.backends.torch import TorchNetwork
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.settings import InferenceSettings
from sceneparse.labels import Labels
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


def predictor(
    segmenter: Segmenter,
    labels: Labels,
    inference: InferenceSettings,
    precision: Precision,
    device: torch.device,
    reading: ImageReading = DEFAULT_READING,
) -> Predictor:
    """Build the predictor of a segmenter that is already on its device."""
    network = TorchNetwork(
        segmenter,
        num_classes=labels.num_classes,
        input_stride=segmenter.network.input_stride,
        output_stride=segmenter.network.output_stride,
        device=device,
        autocast=partial(autocast, precision, device),
        precision=precision,
    )
    return predictor_around(network, labels, inference, reading)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a network computes in a precision."""
    match precision:
        case "bf16":
            return torch.autocast(device.type, torch.bfloat16)
        case "fp16":
            return torch.autocast(device.type, torch.float16)
        case "fp32":
            return nullcontext()
        case _:
            assert_never(precision)
