"""What chooses, changes and mixes training images."""

from typing import assert_never

import numpy as np
import torch
from numpy.typing import NDArray

from sceneparse.augmentation.change import Augmentation
from sceneparse.augmentation.growth import Growth
from sceneparse.augmentation.mixing import Mixing, rarity
from sceneparse.augmentation.transform import Transform
from sceneparse.config import (
    ClassBalancedSampling,
    RunConfig,
    SamplingConfig,
    SyntheticData,
    TransformConfig,
    UniformSampling,
)
from sceneparse.data.class_statistics import class_pixels
from sceneparse.data.dataset import Dataset
from sceneparse.data.sampling import repeat_factors
from sceneparse.errors import InputError
from sceneparse.factory.class_weights import are_open
from sceneparse.labels import Labels


def class_statistics(config: RunConfig, training: Dataset) -> NDArray[np.int64] | None:
    """Count the pixels of each class in each training image `(N, C)`, where a run needs them.

    Raises:
        InputError: If a mask is broken.
    """
    if not needs_class_statistics(config):
        return None
    data = config.data
    root = None if isinstance(data, SyntheticData) else data.root
    return class_pixels(training, root)


def needs_class_statistics(config: RunConfig) -> bool:
    """Tell whether a run asks how many pixels of each class its training images hold."""
    samples_by_class = not isinstance(config.sampling, UniformSampling)
    return samples_by_class or config.transform.copy_paste > 0 or are_open(config.loss)


def sampling(
    config: SamplingConfig, class_statistics: NDArray[np.int64] | None
) -> NDArray[np.float64] | None:
    """Return how much more often than others each image is drawn `(N,)`; none for all alike.

    Args:
        config: By which rule.
        class_statistics: Pixels of each class in each training image, `(N, C)`; for rules that
            need it.

    Raises:
        ValueError: If it is not there for one that does.
    """
    match config:
        case UniformSampling():
            return None
        case ClassBalancedSampling():
            if class_statistics is None:
                raise ValueError("sampling by classes needs their counts")
            return repeat_factors(class_statistics, config.threshold)
        case _:
            assert_never(config)


def transform(
    config: TransformConfig,
    seed: int,
    device: torch.device,
    labels: Labels,
    mixing: Mixing | None = None,
) -> Transform:
    """Make what training does to each image; an accelerator changes the colours itself."""
    base = (config.short_side or config.size) / config.size
    augmentation = Augmentation(
        crop=config.crop,
        aspect=config.aspect,
        scale=config.scale and (config.scale[0] * base, config.scale[1] * base),
        class_share=config.class_share,
        rotation=config.rotation,
        flip=config.flip,
        brightness=config.brightness,
        contrast=config.contrast,
        saturation=config.saturation,
        hue=config.hue,
        color_probability=config.color_probability,
        grey=config.grey,
        blur=config.blur,
        blur_sigma=config.blur_sigma,
        noise=config.noise,
        noise_sigma=config.noise_sigma,
        jpeg=config.jpeg,
        jpeg_quality=config.jpeg_quality,
    )
    return Transform(
        config.size,
        augmentation,
        seed,
        labels.ignore_index,
        mask_stride=config.mask_stride,
        leaves_colors=device.type != "cpu",
        mixing=mixing,
    )


def growth(config: TransformConfig, epochs: int) -> Growth | None:
    """Make what lets images grow over the epochs of a run; none if they do not."""
    if config.first_size is None:
        return None
    return Growth(config.first_size, config.size, round(config.growth * epochs))


def mixing(
    config: TransformConfig,
    training: Dataset,
    factors: NDArray[np.float64] | None,
    class_statistics: NDArray[np.int64] | None,
) -> Mixing | None:
    """Make what other images add to one; none if nothing.

    Args:
        config: How often.
        training: The images.
        factors: How much more often than others each is drawn, `(N,)`; none for all alike.
        class_statistics: Pixels of each class in each of them, `(N, C)`; for `copy_paste`.

    Raises:
        InputError: If rare classes are asked for and there are none.
    """
    if not config.cutmix + config.classmix + config.copy_paste:
        return None
    ignore_index = training.labels.ignore_index
    rare = (
        None
        if class_statistics is None
        else rarity(class_statistics, config.rare_below, ignore_index)
    )
    if config.copy_paste and rare is None:
        raise InputError(
            f"transform.copy_paste: no class of the training images holds less than "
            f"{config.rare_below:.2%} of their pixels; raise transform.rare_below, or leave it out"
        )
    return Mixing(
        samples=len(training),
        ignore_index=ignore_index,
        cutmix=config.cutmix,
        classmix=config.classmix,
        copy_paste=config.copy_paste,
        cumulative=None if factors is None else np.cumsum(factors),
        rarity=rare,
    )
