"""Class weights that a config leaves to be counted become numbers once, when a run starts."""

from typing import assert_never

from sceneparse.config import (
    FromCounts,
    LossConfig,
    MedianFrequency,
    MedianShare,
    OneLoss,
    PixelLossSection,
    RunConfig,
    SumLoss,
)
from sceneparse.losses import class_weights
from sceneparse.losses.class_weights import ClassStatistics, Weights


def are_open(loss: LossConfig) -> bool:
    """Tell whether class weights of a loss are still to be counted."""
    terms = loss.terms if isinstance(loss, SumLoss) else (loss,)
    return any(_open_rule(term) is not None for term in terms)


def balanced(config: RunConfig, class_statistics: ClassStatistics | None) -> RunConfig:
    """Return the config with all class weights as numbers.

    Args:
        config: The run.
        class_statistics: Pixels of each class in each training image, `(N, C)`, as
            `factory.class_statistics` counts them where a run needs them; none if it needs none.
    """
    loss = config.loss
    if class_statistics is None or not are_open(loss):
        return config
    if isinstance(loss, SumLoss):
        terms = tuple(_with_values(term, class_statistics) for term in loss.terms)
        loss = loss.model_copy(update={"terms": terms})
    else:
        loss = _with_values(loss, class_statistics)
    return config.model_copy(update={"loss": loss})


def _with_values(loss: OneLoss, class_statistics: ClassStatistics) -> OneLoss:
    rule = _open_rule(loss)
    if rule is None:
        return loss
    weights = class_weights.tempered(
        _weights(rule, class_statistics), rule.power, rule.least, rule.most
    )
    filled = rule.model_copy(update={"values": tuple(weights.tolist())})
    return loss.model_copy(update={"class_weights": filled})


def _open_rule(loss: OneLoss) -> FromCounts | None:
    """Return the rule of a loss whose class weights are not numbers yet."""
    rule = loss.class_weights if isinstance(loss, PixelLossSection) else None
    if rule is None or isinstance(rule, tuple) or rule.values != "auto":
        return None
    return rule


def _weights(rule: FromCounts, class_statistics: ClassStatistics) -> Weights:
    match rule:
        case MedianFrequency():
            return class_weights.median_frequency(class_statistics)
        case MedianShare():
            return class_weights.median_share(class_statistics)
        case _:
            assert_never(rule)
