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
from sceneparse.losses.class_weights import Census, Weights


def are_open(loss: LossConfig) -> bool:
    """Tell whether class weights of a loss are still to be counted."""
    terms = loss.terms if isinstance(loss, SumLoss) else (loss,)
    return any(_open_rule(term) is not None for term in terms)


def balanced(config: RunConfig, census: Census | None) -> RunConfig:
    """Return the config with all class weights as numbers.

    Args:
        config: The run.
        census: Pixels of each class in each training image, `(N, C)`, as `factory.census` counts
            them where a run needs them; none if it needs none.
    """
    loss = config.loss
    if census is None or not are_open(loss):
        return config
    if isinstance(loss, SumLoss):
        terms = tuple(_with_values(term, census) for term in loss.terms)
        loss = loss.model_copy(update={"terms": terms})
    else:
        loss = _with_values(loss, census)
    return config.model_copy(update={"loss": loss})


def _with_values(loss: OneLoss, census: Census) -> OneLoss:
    rule = _open_rule(loss)
    if rule is None:
        return loss
    weights = class_weights.softened(_weights(rule, census), rule.power, rule.least, rule.most)
    filled = rule.model_copy(update={"values": tuple(weights.tolist())})
    return loss.model_copy(update={"class_weights": filled})


def _open_rule(loss: OneLoss) -> FromCounts | None:
    """Return the rule of a loss whose class weights are not numbers yet."""
    rule = loss.class_weights if isinstance(loss, PixelLossSection) else None
    if rule is None or isinstance(rule, tuple) or rule.values != "auto":
        return None
    return rule


def _weights(rule: FromCounts, census: Census) -> Weights:
    match rule:
        case MedianFrequency():
            return class_weights.median_frequency(census)
        case MedianShare():
            return class_weights.median_share(census)
        case _:
            assert_never(rule)
