"""Build what depends on the training images: sampling, augmentation, mixing, class weights."""

from dataclasses import replace
from typing import assert_never

import numpy as np
import torch
from numpy.typing import NDArray

from sceneparse.augmentation.mixing import SampleMixer, find_rare_classes
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.config import RunConfig
from sceneparse.data.class_statistics import count_class_pixels
from sceneparse.data.dataset import Dataset
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.sampling import repeat_factors
from sceneparse.data.settings import ClassBalancedSampling, SamplingSettings, UniformSampling
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.losses.class_weights import ClassStatistics
from sceneparse.losses.settings import (
    ClassWeightRule,
    LossSettings,
    PixelLossSettings,
    SumLoss,
)


def class_statistics(config: RunConfig, training: Dataset) -> NDArray[np.int64] | None:
    """Count the pixels of each class in each training image `(N, C)`, if a run needs them.

    Raises:
        InputError: If a mask is broken.
    """
    if not needs_class_statistics(config):
        return None
    data = config.data
    root = None if isinstance(data, SyntheticData) else data.root
    return count_class_pixels(training, root)


def needs_class_statistics(config: RunConfig) -> bool:
    """Tell whether a run needs the number of pixels of each class in its training images."""
    samples_by_class = not isinstance(config.sampling, UniformSampling)
    return (
        samples_by_class or config.transform.copy_paste > 0 or _has_uncounted_weights(config.loss)
    )


def sampling(
    config: SamplingSettings, class_statistics: NDArray[np.int64] | None
) -> NDArray[np.float64] | None:
    """Return the repeat factor of each image `(N,)`; none if all images are drawn equally often.

    Args:
        config: Settings of the sampling.
        class_statistics: Pixels of each class in each training image, `(N, C)`, for rules that
            need them.

    Raises:
        ValueError: If the rule needs class statistics and there are none.
    """
    match config:
        case UniformSampling():
            return None
        case ClassBalancedSampling():
            if class_statistics is None:
                raise ValueError("class-balanced sampling needs class statistics, found none")
            return repeat_factors(class_statistics, config.threshold)
        case _:
            assert_never(config)


def transform(
    settings: TransformSettings,
    seed: int,
    device: torch.device,
    labels: Labels,
    epochs: int = 1,
    mixing: SampleMixer | None = None,
) -> Transform:
    """Build the augmentation of training images; an accelerator applies the colour jitter."""
    return Transform(
        size=settings.size,
        settings=settings,
        seed=seed,
        ignore_index=labels.ignore_index,
        defers_color_jitter=device.type != "cpu",
        mixing=mixing,
        size_schedule=settings.size_schedule(epochs),
    )


def mixing(
    config: TransformSettings,
    training: Dataset,
    factors: NDArray[np.float64] | None,
    class_statistics: NDArray[np.int64] | None,
) -> SampleMixer | None:
    """Build the mixing of training images; none if it is off.

    Args:
        config: Settings of the augmentation.
        training: The training images.
        factors: Repeat factor of each image, `(N,)`; none if all are drawn equally often.
        class_statistics: Pixels of each class in each image, `(N, C)`, for `copy_paste`.

    Raises:
        InputError: If `copy_paste` needs rare classes and there are none.
    """
    if not config.cutmix + config.classmix + config.copy_paste:
        return None
    ignore_index = training.labels.ignore_index
    rare = (
        None
        if class_statistics is None
        else find_rare_classes(class_statistics, config.rare_below, ignore_index)
    )
    if config.copy_paste and rare is None:
        raise InputError(
            f"transform.copy_paste: no class of the training images holds less than "
            f"{config.rare_below:.2%} of their pixels; raise transform.rare_below, or remove "
            "transform.copy_paste"
        )
    return SampleMixer(
        samples=len(training),
        ignore_index=ignore_index,
        settings=config,
        cumulative=None if factors is None else np.cumsum(factors),
        rare_classes=rare,
    )


def _has_uncounted_weights(loss: LossSettings | SumLoss) -> bool:
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
    if class_statistics is None or not _has_uncounted_weights(loss):
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
