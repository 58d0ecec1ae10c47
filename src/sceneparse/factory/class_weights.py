"""Class weights that a config leaves to be counted become numbers once, when a run starts."""

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
    """Tell whether class weights of a loss are still to be counted."""
    terms = loss.terms if isinstance(loss, SumLoss) else (loss,)
    return any(_uncounted(term) for term in terms)


def with_class_weights(config: RunConfig, class_statistics: ClassStatistics | None) -> RunConfig:
    """Return the config with all class weights as numbers.

    Args:
        config: The run.
        class_statistics: Pixels of each class in each training image `(N, C)`, as
            `factory.class_statistics` counts them where a run needs them; none if it needs none.
    """
    loss = config.loss
    if class_statistics is None or not has_uncounted_weights(loss):
        return config
    if isinstance(loss, SumLoss):
        terms = tuple(_counted(term, class_statistics) for term in loss.terms)
        return replace(config, loss=replace(loss, terms=terms))
    return replace(config, loss=_counted(loss, class_statistics))


def _counted(loss: LossSettings, class_statistics: ClassStatistics) -> LossSettings:
    rule = _uncounted(loss)
    if rule is None:
        return loss
    values = tuple(rule.from_statistics(class_statistics).tolist())
    return replace(loss, class_weights=replace(rule, values=values))


def _uncounted(loss: LossSettings) -> ClassWeightRule | None:
    """Return the rule of a loss whose class weights are not numbers yet."""
    rule = loss.class_weights if isinstance(loss, PixelLossSettings) else None
    return rule if isinstance(rule, ClassWeightRule) and rule.values == "auto" else None
