"""The way from pixels to mask."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any, Literal, assert_never

import torch

from sceneparse.inference.backend import Backend
from sceneparse.inference.backends.torch import TorchBackend
from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.guided_filter import GuidedFilter
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
) -> Predictor:
    """Make the way from pixels to mask around a network that is on its device."""
    network = segmenter.network
    backend = TorchBackend(
        segmenter,
        labels,
        (network.input_stride, network.output_stride),
        device,
        partial(autocast, precision, device),
        inference.memory_budget_mb,
    )
    return predictor_around(backend, labels, inference)


def predictor_around(backend: Backend, labels: Labels, inference: InferenceSettings) -> Predictor:
    """Make the way from pixels to mask around a network in whatever runtime."""
    return Predictor(
        backend,
        labels,
        resize(inference),
        inference.batch_size,
        views_of(inference.scales, flip=inference.flip),
        refinement(inference, backend),
    )


def refinement(config: InferenceSettings, backend: Backend) -> Refinement | None:
    """Make what follows the edges of a photo, for a network."""
    most_bytes = config.memory_budget_mb * 2**20
    match config.refine:
        case NoRefinement():
            return None
        case GuidedFilterRefinement(radius=radius, epsilon=epsilon):
            return GuidedFilter(radius, epsilon, most_bytes)
        case DenseCrfRefinement() as crf:
            fields = asdict(crf)
            return DenseCrf(stride=backend.output_stride, most_bytes=most_bytes, **fields)
        case _:
            assert_never(config.refine)


def resize(config: InferenceSettings) -> Resize:
    """Make the rule by which images are sized for the network."""
    return Resize(config.resize, config.size, config.overlap)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Make the context in which a network runs in a precision."""
    match precision:
        case "bf16":
            return torch.autocast(device.type, torch.bfloat16)
        case "fp16":
            return torch.autocast(device.type, torch.float16)
        case "fp32":
            return nullcontext()
        case _:
            assert_never(precision)
