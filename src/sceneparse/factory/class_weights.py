"""Compute the class weights of a config from the training images when a run starts."""

from dataclasses import replace

from sceneparse.config import RunConfig
from sceneparse.losses.class_weights import ClassStatistics
from sceneparse.losses.settings import (
    ClassWeightRule,
    LossSettings,
    PixelLossSettings,
    SumLoss,
)


def has_uncounted_weights(loss: LossSettings | SumLoss) -> bool:
    """Tell whether a loss has class weights that are not computed yet."""
    terms = loss.terms if isinstance(loss, SumLoss) else (loss,)
    return any(_uncomputed_rule(term) for term in terms)


def with_class_weights(config: RunConfig, class_statistics: ClassStatistics | None) -> RunConfig:
    """Return the config with all class weights as numbers.

    Args:
        config: Config of the run.
        class_statistics: Pixels of each class in each training image `(N, C)`, from
            `factory.class_statistics`; none if the run does not need them.
    """
    loss = config.loss
    if class_statistics is None or not has_uncounted_weights(loss):
        return config
    if isinstance(loss, SumLoss):
        terms = tuple(_with_values(term, class_statistics) for term in loss.terms)
        return replace(config, loss=replace(loss, terms=terms))
    return replace(config, loss=_with_values(loss, class_statistics))


def _with_values(loss: LossSettings, class_statistics: ClassStatistics) -> LossSettings:
    rule = _uncomputed_rule(loss)
    if rule is None:
        return loss
    values = tuple(rule.from_statistics(class_statistics).tolist())
    return replace(loss, class_weights=replace(rule, values=values))


def _uncomputed_rule(loss: LossSettings) -> ClassWeightRule | None:
    """Return the rule of class weights that are not computed yet, if a loss has one."""
    rule = loss.class_weights if isinstance(loss, PixelLossSettings) else None
    return rule if isinstance(rule, ClassWeightRule) and rule.values == "auto" else None
