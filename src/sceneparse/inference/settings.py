"""Settings of inference: how the pixels of an image become a mask."""

from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from sceneparse.system.settings import (
    Kinds,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ShareBelowOne,
    Side,
    settings,
)


@settings
class NoRefinement:
    """The logits are only upsampled to the size of the image."""


@settings
class GuidedFilterRefinement:
    """Class probabilities as local linear functions of the colours (He et al., 2013)."""

    radius: PositiveInt = 4
    """From the centre of a window to its edge, in pixels of the feature map."""
    epsilon: PositiveFloat = 1e-3
    """Variance of colour, of a scale of 0..1, below which it counts as noise."""


@settings
class DenseCrfRefinement:
    """A dense CRF: pixels that are near and similar get the same class (Krähenbühl & Koltun, 2011).

    Pixels are those of the image as the network saw it.
    """

    iterations: PositiveInt = 5
    """Mean-field updates."""
    radius: Annotated[int, Ge(1), Le(32)] = 5
    """Largest distance of compared pixels, in rows and in columns."""
    similar_weight: NonNegativeFloat = 4.0
    """Weight of the appearance kernel: pixels that are near and of similar colour."""
    similar_spread: PositiveFloat = 5.0
    """Standard deviation of its distances, in pixels."""
    similar_color: PositiveFloat = 10.0
    """Standard deviation of its colours, in 0..255."""
    near_weight: NonNegativeFloat = 1.0
    """Weight of the smoothness kernel: pixels that are near, whatever their colour."""
    near_spread: PositiveFloat = 1.0
    """Standard deviation of its distances, in pixels."""


RefinementSettings = NoRefinement | GuidedFilterRefinement | DenseCrfRefinement
REFINEMENTS: dict[str, type] = {
    "none": NoRefinement,
    "guided_filter": GuidedFilterRefinement,
    "dense_crf": DenseCrfRefinement,
}


@settings
class InferenceSettings:
    """How images are sized for the network, in validation and ever after."""

    resize: Literal["stretch", "keep_ratio", "window"] = "stretch"
    """`stretch` to a square; `keep_ratio`; `window`: ratio kept, overlapping squares."""
    size: Side = 256
    """Pixels of the short side, and of the square."""
    overlap: ShareBelowOne = 0.25
    """Smallest share of a window that the next one overlaps."""
    scales: Annotated[tuple[Annotated[float, Ge(0.1), Le(4)], ...], MinLen(1), MaxLen(8)] = (1.0,)
    """Factors on `size` for test-time augmentation; the probabilities are averaged."""
    flip: bool = False
    """Average over the horizontally flipped image too, at every scale."""
    refine: Annotated[RefinementSettings, Kinds(REFINEMENTS)] = NoRefinement()
    """Refinement of the probabilities along edges of the image."""
    batch_size: PositiveInt = 4
    """Images that go through the network together when a data set is scored; images that the
    network sees at the same size are put together."""
    memory_budget_mb: Annotated[int, Ge(16)] = 256
    """Most memory in MiB that upsampling the logits of an image takes."""
