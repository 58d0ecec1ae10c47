"""Class weights that a config leaves to be counted become numbers once, when a run starts."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import assert_never

from sceneparse.config import (
    EffectiveNumber,
    Enet,
    FromCounts,
    MedianFrequency,
    OneLoss,
    PixelLossSection,
    RunConfig,
    SumLoss,
)
from sceneparse.data.census import class_pixels
from sceneparse.data.dataset import Dataset
from sceneparse.losses import class_weights


def counts_classes(config: RunConfig) -> bool:
    """Tell whether the pixels of the classes have to be counted for a run."""
    terms = config.loss.terms if isinstance(config.loss, SumLoss) else (config.loss,)
    return any(_open_rule(term) is not None for term in terms)


def balanced(config: RunConfig, training: Dataset) -> RunConfig:
    """Return the config with all class weights as numbers.

    Args:
        config: The run.
        training: Its pictures, which are counted in if a weight is still `auto`.

    Raises:
        InputError: If a mask cannot be read.
    """
    root: Path | None = getattr(config.data, "root", None)

    @cache
    def census() -> class_weights.Census:
        return class_pixels(training, root.expanduser() if root else None)

    loss = config.loss
    if isinstance(loss, SumLoss):
        terms = tuple(_with_values(term, census) for term in loss.terms)
        loss = loss.model_copy(update={"terms": terms})
    else:
        loss = _with_values(loss, census)
    return config.model_copy(update={"loss": loss})


def _with_values(loss: OneLoss, census: Callable[[], class_weights.Census]) -> OneLoss:
    rule = _open_rule(loss)
    if rule is None:
        return loss
    weights = class_weights.softened(_weights(rule, census()), rule.power, rule.least, rule.most)
    filled = rule.model_copy(update={"values": tuple(weights.tolist())})
    return loss.model_copy(update={"class_weights": filled})


def _open_rule(loss: OneLoss) -> FromCounts | None:
    """Return the rule of a loss whose class weights are not numbers yet."""
    rule = loss.class_weights if isinstance(loss, PixelLossSection) else None
    if rule is None or isinstance(rule, tuple) or rule.values != "auto":
        return None
    return rule


def _weights(rule: FromCounts, census: class_weights.Census) -> class_weights.Weights:
    match rule:
        case MedianFrequency():
            return class_weights.median_frequency(census)
        case Enet():
            return class_weights.enet(census)
        case EffectiveNumber():
            return class_weights.effective_number(census, rule.beta)
        case _:
            assert_never(rule)
