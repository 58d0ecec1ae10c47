"""What a run minimises."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    Tag,
    model_validator,
)

from sceneparse.config.section import Section


class _FromCounts(Section):
    power: float = Field(default=1.0, ge=0, le=1)
    """The weights are taken to this power: below 1 they are nearer to each other."""
    least: NonNegativeFloat = 0.0
    """What a class counts at least."""
    most: PositiveFloat | None = None
    """What a class counts at most; none: no bound."""
    values: tuple[NonNegativeFloat, ...] | Literal["auto"] = "auto"
    """What came of it, in the order of the classes; `auto`: counted when the run starts."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"`most`, {self.most:g}, should not be below `least`, {self.least:g}")
        return self


class MedianFrequency(_FromCounts):
    """The median of all frequencies over that of the class (Eigen & Fergus, 2015)."""

    kind: Literal["median_frequency"]


class MedianShare(_FromCounts):
    """The median of the classes' shares of all pixels over that of the class."""

    kind: Literal["median_share"]


FromCounts = MedianFrequency | MedianShare


def _form(value: Any) -> str | None:
    """Tell which form class weights are given in; none if in none that there is."""
    if isinstance(value, Mapping):
        return value.get("kind")
    return None if isinstance(value, str) else getattr(value, "kind", "list")


ClassWeights = Annotated[
    Annotated[tuple[NonNegativeFloat, ...], Tag("list")]
    | Annotated[MedianFrequency, Tag("median_frequency")]
    | Annotated[MedianShare, Tag("median_share")],
    Discriminator(_form),
]


class _Loss(Section):
    weight: PositiveFloat = 1.0
    """What the loss is multiplied by, in a sum of losses."""
    tiled: bool = True
    """Compute it tile by tile, never on logits of the size of the mask: the same numbers."""


class PixelLossSection(_Loss):
    """A mean over pixels."""

    class_weights: ClassWeights | None = None
    """What a pixel of each class counts: a list, or a rule; none: all the same."""


class CrossEntropyLoss(PixelLossSection):
    """Categorical cross-entropy over valid pixels."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread evenly over all classes."""


class FocalLoss(PixelLossSection):
    """Cross-entropy that fades for pixels which are right already (Lin et al., 2017)."""

    kind: Literal["focal"]
    gamma: float = Field(default=2.0, ge=0, le=10)
    """How fast; 0 is cross-entropy."""


class DiceLoss(_Loss):
    """1 less the mean Dice coefficient of the classes in the ground truth of a batch."""

    kind: Literal["dice"]


class GeneralisedDiceLoss(_Loss):
    """1 less the Dice coefficient of all classes together, small and large (Sudre et al., 2017)."""

    kind: Literal["generalised_dice"]


class LovaszLoss(_Loss):
    """A surrogate of 1 - mIoU over the classes in the ground truth (Berman et al., 2018)."""

    kind: Literal["lovasz"]


OneLoss = CrossEntropyLoss | FocalLoss | DiceLoss | GeneralisedDiceLoss | LovaszLoss


def _at_least_one(terms: tuple[OneLoss, ...]) -> tuple[OneLoss, ...]:
    if not terms:
        raise ValueError("a sum needs at least one loss, found none")
    return terms


class SumLoss(Section):
    """Several losses, each times its weight; tile by tile unless one of them is not."""

    kind: Literal["sum"]
    terms: Annotated[
        tuple[Annotated[OneLoss, Field(discriminator="kind")], ...], AfterValidator(_at_least_one)
    ]
    """The losses."""


LossConfig = Annotated[OneLoss | SumLoss, Field(discriminator="kind")]
