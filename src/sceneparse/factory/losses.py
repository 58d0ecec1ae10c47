"""What training minimises."""

from collections.abc import Sequence
from typing import assert_never

from sceneparse.config import (
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GeneralisedDiceLoss,
    LossConfig,
    LovaszLoss,
    OneLoss,
    PixelLossSection,
    SumLoss,
)
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.dice import dice, generalised_dice
from sceneparse.losses.focal import Focal
from sceneparse.losses.loss import SegmentationLoss, WeightedSum
from sceneparse.losses.lovasz import LovaszSoftmax
from sceneparse.losses.region import Region


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
            return CrossEntropy(
                labels.ignore_index,
                config.label_smoothing,
                _class_weights(config, labels, path),
                config.weight,
                tiled=config.tiled,
            )
        case FocalLoss():
            weights, way = _class_weights(config, labels, path), config.tiled
            return Focal(labels.ignore_index, config.gamma, weights, config.weight, tiled=way)
        case LovaszLoss():
            return LovaszSoftmax(labels.ignore_index, config.weight, tiled=config.tiled)
        case DiceLoss():
            return Region(labels.ignore_index, dice, config.weight, tiled=config.tiled)
        case GeneralisedDiceLoss():
            ignored, way = labels.ignore_index, config.tiled
            return Region(ignored, generalised_dice, config.weight, tiled=way)
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
