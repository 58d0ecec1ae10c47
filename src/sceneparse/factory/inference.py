"""Build a predictor around a network; nothing here needs torch."""

from typing import Literal, assert_never

from sceneparse.config import RunConfig
from sceneparse.data.io.decode import DEFAULT_READING, ImageReading
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

Precision = Literal["bf16", "fp16", "fp32"]


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
