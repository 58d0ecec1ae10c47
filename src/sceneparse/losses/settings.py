"""Settings of the losses, and the list of all of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le

from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.losses.class_weights import (
    ClassStatistics,
    ClassWeights,
    clipped_power,
    median_frequency,
    median_share,
)
from sceneparse.system.settings import (
    Kinds,
    NonNegativeFloat,
    PositiveFloat,
    Share,
    ShareBelowOne,
    settings,
)

if TYPE_CHECKING:
    from sceneparse.losses.loss import SegmentationLoss, WeightedSum


@settings
class _ClassWeightRule:
    power: Share = 1.0
    """Power to which the weights are raised; below 1 brings them nearer to each other."""
    min: NonNegativeFloat = 0.0
    """Smallest weight of a class."""
    max: PositiveFloat | None = None
    """Largest weight of a class; none: no bound."""
    values: tuple[NonNegativeFloat, ...] | Literal["auto"] = "auto"
    """The resulting weights in the order of the classes; `auto`: counted when the run starts."""

    def __post_init__(self) -> None:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"`max`, {self.max:g}, should not be below `min`, {self.min:g}")

    def from_statistics(self, class_statistics: ClassStatistics) -> ClassWeights:
        """Compute the weights `(C,)` from the pixels of each class in each image `(N, C)`."""
        weights = self._unclipped(class_statistics)
        return clipped_power(weights, self.power, self.min, self.max)

    def _unclipped(self, class_statistics: ClassStatistics) -> ClassWeights:
        raise NotImplementedError


@settings
class MedianFrequency(_ClassWeightRule):
    """Median-frequency weights: the median of all frequencies over that of the class.

    The frequency of a class is its share of the images in which it occurs (Eigen & Fergus, 2015).
    """

    def _unclipped(self, class_statistics: ClassStatistics) -> ClassWeights:
        return median_frequency(class_statistics)


@settings
class MedianShare(_ClassWeightRule):
    """The median of the classes' shares of all pixels over the share of the class."""

    def _unclipped(self, class_statistics: ClassStatistics) -> ClassWeights:
        return median_share(class_statistics)


ClassWeightRule = MedianFrequency | MedianShare
CLASS_WEIGHT_RULES: dict[str, type] = {
    "median_frequency": MedianFrequency,
    "median_share": MedianShare,
}
WeightList = tuple[NonNegativeFloat, ...]


@settings
class LossSettings:
    """Fields that every loss has."""

    weight: PositiveFloat = 1.0
    """Factor on the loss, in a sum of losses."""

    def build(self, labels: Labels, path: str = "loss") -> "SegmentationLoss":
        """Make the loss for the classes of a data set.

        Args:
            labels: The classes.
            path: Where these settings are in the config, for messages.

        Raises:
            InputError: If class weights do not fit the classes.
        """
        raise NotImplementedError


@settings
class PixelLossSettings(LossSettings):
    """Fields of losses that are a mean over pixels."""

    class_weights: (
        Annotated[WeightList | ClassWeightRule, Kinds(CLASS_WEIGHT_RULES, sequence=WeightList)]
        | None
    ) = None
    """Weight of a pixel of each class: a list, or a rule; none: all the same."""

    def weights_for(self, labels: Labels, path: str = "loss") -> Sequence[float] | None:
        """Return the weight of each class; none if all weights are 1.

        Raises:
            InputError: If there is not one weight for each class, or they are not counted yet.
        """
        weights, path = self.class_weights, f"{path}.class_weights"
        if isinstance(weights, ClassWeightRule):
            weights, path = weights.values, f"{path}.values"
        if weights == "auto":
            raise InputError(
                f"{path}: found auto, expected {labels.num_classes} weights; they are computed "
                "when training starts, so give them where you build the loss yourself"
            )
        if weights is not None and len(weights) != labels.num_classes:
            raise InputError(
                f"{path}: found {len(weights)} weights, expected {labels.num_classes}; give "
                "one for each class, in the order of the classes"
            )
        return weights


@settings
class CrossEntropyLoss(PixelLossSettings):
    """Categorical cross-entropy over valid pixels."""

    label_smoothing: ShareBelowOne = 0.0
    """Share of the target spread evenly over all classes (Szegedy et al., 2016)."""

    def build(self, labels: Labels, path: str = "loss") -> "SegmentationLoss":
        """Make the loss for the classes of a data set."""
        from sceneparse.losses.cross_entropy import CrossEntropy

        return CrossEntropy(self, labels.ignore_index, self.weights_for(labels, path))


@settings
class FocalLoss(PixelLossSettings):
    """Cross-entropy with a smaller weight for pixels that are already right (Lin et al., 2017)."""

    gamma: Annotated[float, Ge(0), Le(10)] = 2.0
    """Exponent of the weight; 0 is cross-entropy."""

    def build(self, labels: Labels, path: str = "loss") -> "SegmentationLoss":
        """Make the loss for the classes of a data set."""
        from sceneparse.losses.focal import Focal

        return Focal(self, labels.ignore_index, self.weights_for(labels, path))


@settings
class DiceLoss(LossSettings):
    """One minus the mean Dice coefficient of the classes in the ground truth of a batch."""

    def build(self, labels: Labels, path: str = "loss") -> "SegmentationLoss":  # noqa: ARG002
        """Make the loss for the classes of a data set."""
        from sceneparse.losses.dice import RegionLoss, dice

        return RegionLoss(self, labels.ignore_index, dice)


@settings
class GeneralisedDiceLoss(LossSettings):
    """One minus the Dice coefficient of all classes together (Sudre et al., 2017).

    Small and large classes count alike.
    """

    def build(self, labels: Labels, path: str = "loss") -> "SegmentationLoss":  # noqa: ARG002
        """Make the loss for the classes of a data set."""
        from sceneparse.losses.dice import RegionLoss, generalised_dice

        return RegionLoss(self, labels.ignore_index, generalised_dice)


@settings
class LovaszLoss(LossSettings):
    """A surrogate of 1 - mIoU over the classes in the ground truth (Berman et al., 2018)."""

    def build(self, labels: Labels, path: str = "loss") -> "SegmentationLoss":  # noqa: ARG002
        """Make the loss for the classes of a data set."""
        from sceneparse.losses.lovasz import LovaszSoftmax

        return LovaszSoftmax(self, labels.ignore_index)


# A new loss is a class like these, whose `build` imports its module, and a line here.
LOSSES: dict[str, type[LossSettings]] = {
    "cross_entropy": CrossEntropyLoss,
    "focal": FocalLoss,
    "dice": DiceLoss,
    "generalised_dice": GeneralisedDiceLoss,
    "lovasz": LovaszLoss,
}


@settings
class SumLoss:
    """The weighted sum of several losses."""

    terms: tuple[Annotated[LossSettings, Kinds(LOSSES)], ...]
    """The losses."""

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("terms: a sum needs at least one loss, found none")

    def build(self, labels: Labels) -> "WeightedSum":
        """Make the loss for the classes of a data set."""
        from sceneparse.losses.loss import WeightedSum

        return WeightedSum(
            [term.build(labels, f"loss.terms.{index}") for index, term in enumerate(self.terms)]
        )


LossSection = Annotated[
    LossSettings | SumLoss, Kinds(LOSSES, {"sum": SumLoss}, default="cross_entropy")
]
