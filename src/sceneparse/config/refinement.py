"""What is done with a network's answer to follow the edges of the photo."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from sceneparse.config.section import Section


class NoRefinement(Section):
    """The answer is only brought to the size of the image."""

    kind: Literal["none"] = "none"


class GuidedFilterRefinement(Section):
    """Class probabilities as local linear functions of the colours (He et al., 2013)."""

    kind: Literal["guided_filter"]
    radius: PositiveInt = 4
    """Cells of the decoder from the middle of a window to its edge."""
    epsilon: PositiveFloat = 1e-3
    """Variance of colour, of a scale of 0..1, below which it is taken for noise."""


class DenseCrfRefinement(Section):
    """Pixels that are near and alike want the same class (Krähenbühl & Koltun, 2011)."""

    kind: Literal["dense_crf"]
    iterations: PositiveInt = 5
    """Mean-field updates."""
    radius: int = Field(default=5, ge=1, le=32)
    """Farthest pixels that are compared, in rows and columns of what the network saw."""
    similar_weight: NonNegativeFloat = 4.0
    """Weight of pixels that are near and of one colour."""
    similar_spread: PositiveFloat = 5.0
    """How near: a standard deviation, in pixels."""
    similar_color: PositiveFloat = 10.0
    """How alike: a standard deviation, of colours in 0..255."""
    near_weight: NonNegativeFloat = 1.0
    """Weight of pixels that are near, whatever their colour."""
    near_spread: PositiveFloat = 1.0
    """How near: a standard deviation, in pixels."""


RefinementConfig = Annotated[
    NoRefinement | GuidedFilterRefinement | DenseCrfRefinement,
    Field(discriminator="kind"),
]
