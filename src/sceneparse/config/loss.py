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


class Enet(_FromCounts):
    """1 / ln(1.02 + share of the pixels) (Paszke et al., 2016): from 1.4 to 50."""

    kind: Literal["enet"]


class EffectiveNumber(_FromCounts):
    """1 over the effective number of pictures with the class (Cui et al., 2019), of mean 1."""

    kind: Literal["effective_number"]
    beta: float = Field(default=0.999, ge=0, lt=1)
    """From 0, all classes alike, to 1, where a class counts by 1 over its pictures."""


FromCounts = MedianFrequency | MedianShare | Enet | EffectiveNumber


def _form(value: Any) -> str | None:
    """Tell which form class weights are given in; none if in none that there is."""
    if isinstance(value, Mapping):
        return value.get("kind")
    return None if isinstance(value, str) else getattr(value, "kind", "list")


ClassWeights = Annotated[
    Annotated[tuple[NonNegativeFloat, ...], Tag("list")]
    | Annotated[MedianFrequency, Tag("median_frequency")]
    | Annotated[MedianShare, Tag("median_share")]
    | Annotated[Enet, Tag("enet")]
    | Annotated[EffectiveNumber, Tag("effective_number")],
    Discriminator(_form),
]


class _Loss(Section):
    weight: PositiveFloat = 1.0
    """What the loss is multiplied by, in a sum of losses."""
    in_strips: bool = True
    """Compute it tile by tile, never on logits of the size of the mask: the same numbers."""


class PixelLossSection(_Loss):
    """A mean over pixels."""

    class_weights: ClassWeights | None = None
    """What a pixel of each class counts: a list, or a rule; none: all the same."""


class _CrossEntropy(PixelLossSection):
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread evenly over all classes."""


class CrossEntropyLoss(_CrossEntropy):
    """Categorical cross-entropy over valid pixels."""

    kind: Literal["cross_entropy"] = "cross_entropy"


class HardPixelsLoss(_CrossEntropy):
    """Cross-entropy of the pixels that are not right yet (OHEM; Shrivastava et al., 2016)."""

    kind: Literal["hard_pixels"]
    threshold: float = Field(default=0.7, ge=0, le=1)
    """Probability of the true class below which a pixel is learned from."""
    least: float = Field(default=0.1, gt=0, le=1)
    """Share of the valid pixels of a batch that are learned from at least."""


class BoundaryLoss(_CrossEntropy):
    """Cross-entropy in which pixels near a boundary of classes count more."""

    kind: Literal["boundary"]
    extra: PositiveFloat = 4.0
    """What a pixel at a boundary counts beside 1."""
    sigma: float = Field(default=3.0, gt=0, le=64)
    """How fast that falls with the distance: standard deviation of a bell, in pixels."""


class FocalLoss(PixelLossSection):
    """Cross-entropy that fades for pixels which are right already (Lin et al., 2017)."""

    kind: Literal["focal"]
    gamma: float = Field(default=2.0, ge=0, le=10)
    """How fast; 0 is cross-entropy."""


class DiceLoss(_Loss):
    """1 less the mean Dice coefficient of the classes in the truth of a batch."""

    kind: Literal["dice"]


class GeneralisedDiceLoss(_Loss):
    """1 less the Dice coefficient of all classes together, small and large (Sudre et al., 2017)."""

    kind: Literal["generalised_dice"]


class TverskyLoss(_Loss):
    """Dice whose two kinds of mistakes count differently (Salehi et al., 2017)."""

    kind: Literal["tversky"]
    alpha: PositiveFloat = 0.3
    """What false positives count."""
    beta: PositiveFloat = 0.7
    """What false negatives count."""
    gamma: float = Field(default=1.0, ge=1, le=3)
    """Above 1 classes that are nearly right count more (focal Tversky; Abraham & Khan, 2019)."""


class LovaszLoss(_Loss):
    """A stand-in for 1 less the mean IoU of the classes in the truth (Berman et al., 2018)."""

    kind: Literal["lovasz"]


OneLoss = (
    CrossEntropyLoss
    | FocalLoss
    | DiceLoss
    | GeneralisedDiceLoss
    | TverskyLoss
    | LovaszLoss
    | HardPixelsLoss
    | BoundaryLoss
)


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
