"""Build a predictor from a config."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, assert_never

import torch

from sceneparse.config import RunConfig
from sceneparse.data.io.decode import DEFAULT_READING, ImageReading
from sceneparse.inference.backends.torch import TorchNetwork
from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.guided_filter import GuidedFilter
from sceneparse.inference.network import Network
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.refinement import Refinement
from sceneparse.inference.resize import Resize
from sceneparse.inference.settings import (
    DenseCrfRefinement,
    GuidedFilterRefinement,
    InferenceSettings,
    NoRefinement,
)
from sceneparse.inference.views import views_of
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter

Precision = Literal["bf16", "fp16", "fp32"]


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
    )
    return predictor_around(network, labels, inference, reading)


def predictor_around(
    network: Network,
    labels: Labels,
    inference: InferenceSettings,
    reading: ImageReading = DEFAULT_READING,
) -> Predictor:
    """Build the predictor of a network, whatever runtime computes it."""
    return Predictor(
        network,
        labels,
        resize(inference),
        batch_size=inference.batch_size,
        views=views_of(inference.scales, flip=inference.flip),
        refinement=refinement(inference, network),
        memory_budget_mb=inference.memory_budget_mb,
        reading=reading,
    )


def image_reading(config: RunConfig) -> ImageReading:
    """Return how the predictor of a run reads image files."""
    # Orientation is applied: whoever looks at a prediction looks at the image as it is shown.
    return ImageReading(value_range=getattr(config.data, "image_range", None), bands=config.bands)


def refinement(config: InferenceSettings, network: Network) -> Refinement | None:
    """Build the refinement of label maps at the edges of an image."""
    max_bytes = config.memory_budget_mb * 2**20
    match config.refine:
        case NoRefinement():
            return None
        case GuidedFilterRefinement() as settings:
            return GuidedFilter(settings, max_bytes)
        case DenseCrfRefinement() as settings:
            return DenseCrf(settings, network.output_stride, max_bytes)
        case _:
            assert_never(config.refine)


def resize(config: InferenceSettings) -> Resize:
    """Build the rule that resizes images for the network."""
    return Resize(config.resize, config.size, config.overlap)


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
