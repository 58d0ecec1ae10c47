"""What training minimises."""

from collections.abc import Sequence
from functools import partial
from typing import assert_never

from sceneparse.config import (
    BoundaryLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GeneralisedDiceLoss,
    HardPixelsLoss,
    LossConfig,
    LovaszLoss,
    OneLoss,
    PixelLossSection,
    SumLoss,
    TverskyLoss,
)
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.losses.boundary import near_boundary
from sceneparse.losses.cross_entropy import CrossEntropy, Emphasis
from sceneparse.losses.dice import dice, generalised_dice
from sceneparse.losses.focal import Focal
from sceneparse.losses.hard_pixels import hard_pixels
from sceneparse.losses.loss import SegmentationLoss, WeightedSum
from sceneparse.losses.lovasz import LovaszSoftmax
from sceneparse.losses.region import OfSums, Region
from sceneparse.losses.tversky import tversky


def loss(config: LossConfig, labels: Labels) -> SegmentationLoss | WeightedSum:
    """Make what training minimises.

    Raises:
        InputError: If there are not as many class weights as classes.
    """
    if isinstance(config, SumLoss):
        numbered = enumerate(config.terms)
        return WeightedSum([_one(term, labels, f"loss.terms.{place}") for place, term in numbered])
    return _one(config, labels, "loss")


def _one(config: OneLoss, labels: Labels, path: str) -> SegmentationLoss:
    match config:
        case CrossEntropyLoss():
            return _cross_entropy(config, labels, path)
        case HardPixelsLoss():
            hard = partial(hard_pixels, threshold=config.threshold, least=config.least)
            return _cross_entropy(config, labels, path, hard)
        case BoundaryLoss():
            near = partial(near_boundary, extra=config.extra, sigma=config.sigma)
            return _cross_entropy(config, labels, path, near)
        case FocalLoss():
            weights, way = _class_weights(config, labels, path), config.in_strips
            return Focal(labels.ignore_index, config.gamma, weights, config.weight, in_strips=way)
        case LovaszLoss():
            return LovaszSoftmax(labels.ignore_index, config.weight, in_strips=config.in_strips)
        case DiceLoss() | GeneralisedDiceLoss() | TverskyLoss():
            index, way = labels.ignore_index, config.in_strips
            return Region(index, _of_sums(config), config.weight, in_strips=way)
        case _:
            assert_never(config)


def _cross_entropy(
    config: CrossEntropyLoss | HardPixelsLoss | BoundaryLoss,
    labels: Labels,
    path: str,
    emphasis: Emphasis | None = None,
) -> CrossEntropy:
    return CrossEntropy(
        labels.ignore_index,
        config.label_smoothing,
        _class_weights(config, labels, path),
        emphasis,
        config.weight,
        in_strips=config.in_strips,
    )


def _of_sums(config: DiceLoss | GeneralisedDiceLoss | TverskyLoss) -> OfSums:
    match config:
        case DiceLoss():
            return dice
        case GeneralisedDiceLoss():
            return generalised_dice
        case TverskyLoss():
            return partial(tversky, alpha=config.alpha, beta=config.beta, gamma=config.gamma)
        case _:
            assert_never(config)


def _class_weights(config: PixelLossSection, labels: Labels, path: str) -> Sequence[float] | None:
    weights = config.class_weights
    if weights is None:
        return None
    if not isinstance(weights, tuple):
        weights, path = weights.values, f"{path}.class_weights.values"
    else:
        path = f"{path}.class_weights"
    if weights == "auto":
        raise InputError(f"{path}: auto; they are counted when a run starts, and none was started")
    if len(weights) != labels.num_classes:
        raise InputError(
            f"{path}: {len(weights)} weights for {labels.num_classes} classes; "
            "give one for each, in the order of the classes"
        )
    return weights
