"""Tests of the random parameters: reproducibility, ranges, and independence of the fields."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sceneparse.augmentation.colors import jitter_colors
from sceneparse.augmentation.parameters import (
    ColorJitter,
    CropBox,
    Degradation,
    TransformParameters,
    draw_parameters,
)
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample

FIRST = TransformSettings(
    crop=0.4, aspect=1.5, flip=0.5, brightness=0.3, contrast=0.2, saturation=0.3, hue=0.1
)
ADDED: dict[str, Any] = {
    "rotation": 20.0,
    "class_share": 0.5,
    "color_probability": 0.5,
    "grey": 0.3,
    "blur": 0.5,
    "noise": 0.5,
    "jpeg": 0.5,
}


def draw_with_first_fields(
    augmentation: TransformSettings, random: np.random.Generator
) -> tuple[CropBox, bool, ColorJitter]:
    """Draw the parameters as the code did before the fields of `ADDED` existed."""
    scale = random.uniform(augmentation.crop, 1.0)
    stretch = augmentation.aspect ** random.uniform(-0.5, 0.5)
    height, width = min(1.0, scale * stretch), min(1.0, scale / stretch)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    flip = bool(random.random() < augmentation.flip)
    ranges = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (
        random.uniform(1 - max_value, 1 + max_value) for max_value in ranges
    )
    hue = random.uniform(-augmentation.hue, augmentation.hue)
    return (
        CropBox(top, left, height, width),
        flip,
        ColorJitter(brightness, contrast, saturation, hue),
    )


def draw_many(augmentation: TransformSettings, count: int = 1000) -> list[TransformParameters]:
    return [draw_parameters(augmentation, np.random.default_rng(index)) for index in range(count)]


@pytest.mark.parametrize("augmentation", [FIRST, TransformSettings(), TransformSettings(crop=0.2)])
def test_added_fields_do_not_change_the_samples_of_the_first_ones(
    augmentation: TransformSettings,
) -> None:
    random = np.random.default_rng(7)
    image = random.integers(0, 256, (61, 83, 3), np.uint8)
    sample = Sample(image, random.integers(0, 5, (61, 83), np.uint8), "noise")
    transform = Transform(32, augmentation, 3, 255)
    for index in range(50):
        stream = np.random.default_rng([1, 3, 2, index])
        crop, flip, color_jitter = draw_with_first_fields(augmentation, stream)
        expected, mask = resample(image, sample.mask, crop, 32, flip=flip)
        out = transform(sample, transform.draw_parameters(2, index))
        np.testing.assert_array_equal(out.image, jitter_colors(expected, color_jitter))
        np.testing.assert_array_equal(out.mask, mask)


def test_the_default_settings_change_nothing() -> None:
    for parameters in draw_many(TransformSettings(), 20):
        assert parameters.crop.boxes((40, 50)) == [CropBox(0, 0, 1, 1)]
        assert parameters.color_jitter == ColorJitter()
        assert parameters.degradation._replace(noise_seed=0) == Degradation()
        assert not parameters.flip
        assert parameters.mix is None


@pytest.mark.parametrize("name", list(ADDED))
def test_a_field_changes_only_its_own_parameters(name: str) -> None:
    parts = {"rotation": "crop", "class_share": "crop", "color_probability": "color_jitter"}
    mine = parts.get(name, "color_jitter" if name == "grey" else "degradation")
    plain, other = (
        draw_many(FIRST, 30),
        draw_many(replace(FIRST, **{name: ADDED[name]}), 30),
    )
    for one, two in zip(plain, other, strict=True):
        assert one._replace(**{mine: None}) == two._replace(**{mine: None})
        assert one.crop.positions[0] == two.crop.positions[0]
        assert (one.crop.height, one.crop.width) == (two.crop.height, two.crop.width)
    assert plain != other


def test_parameters_stay_in_their_ranges() -> None:
    all_parameters = draw_many(TransformSettings(**ADDED, scale=(0.5, 2.0), aspect=1.4))
    angles = np.array([parameters.crop.angle for parameters in all_parameters])
    assert -20 <= angles.min() < -18
    assert 18 < angles.max() <= 20
    sides = np.array(
        [(parameters.crop.height, parameters.crop.width) for parameters in all_parameters]
    )
    scales = 1 / np.sqrt(sides.prod(axis=1))
    assert 0.5 <= scales.min() < 0.53
    assert 1.9 < scales.max() <= 2
    # The scale itself, not its logarithm, is uniformly distributed.
    assert abs(scales.mean() - 1.25) < 0.05
    assert np.all(np.abs(np.log(sides[:, 0] / sides[:, 1])) <= np.log(1.4) + 1e-9)
    for values, max_value in (
        ([parameters.degradation.blur for parameters in all_parameters], 2),
        ([parameters.degradation.noise for parameters in all_parameters], 12),
        ([parameters.degradation.quality for parameters in all_parameters], 95),
    ):
        nonzero = [value for value in values if value]
        assert 0.4 < len(nonzero) / len(values) < 0.6
        assert 0.9 * max_value < max(nonzero) <= max_value
        assert min(nonzero) >= (30 if max_value == 95 else 0.1 * max_value)
    assert (
        0.25
        < np.mean([parameters.color_jitter.saturation == 0 for parameters in all_parameters])
        < 0.35
    )


def test_each_colour_change_has_its_probability() -> None:
    color_jitter = np.array(
        [
            parameters.color_jitter
            for parameters in draw_many(replace(FIRST, color_probability=0.25))
        ]
    )
    shares = (color_jitter != np.array(ColorJitter())).mean(axis=0)
    assert np.all(np.abs(shares - 0.25) < 0.05)
    never = draw_many(replace(FIRST, color_probability=0), 50)
    assert all(parameters.color_jitter == ColorJitter() for parameters in never)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (50, 50), (7, 200)])
def test_a_scaled_crop_is_square_and_contains_or_lies_in_the_image(size: tuple[int, int]) -> None:
    for parameters in draw_many(TransformSettings(scale=(0.3, 3.0)), 200):
        (crop,) = parameters.crop.boxes(size)
        height, width = crop.height * size[0], crop.width * size[1]
        assert height == pytest.approx(width)
        for start, length in ((crop.top, crop.height), (crop.left, crop.width)):
            if length <= 1:
                assert 0 <= start <= 1 - length + 1e-12
            else:
                assert start <= 0
                assert start + length >= 1 - 1e-12


def test_a_scaled_crop_needs_the_shorter_side_of_its_scale() -> None:
    for parameters in draw_many(TransformSettings(scale=(0.5, 2.0)), 50):
        (crop,) = parameters.crop.boxes((300, 500))
        needed = parameters.crop.min_image_size(64)
        assert needed[0] == needed[1]
        # In an image with that shorter side, the crop has the size of the square.
        assert crop.height * needed[0] == pytest.approx(64, rel=0.02)


@pytest.mark.parametrize("scale", [0.0001, 1000.0])
def test_extreme_scales_need_at_least_one_pixel(scale: float) -> None:
    transform = Transform(32, TransformSettings(scale=(scale, scale)), 0, 255)
    image = np.full((30, 40, 3), 9, np.uint8)
    sample = Sample(image, np.zeros((30, 40), np.uint8), "dark")
    parameters = transform.draw_parameters(0, 0)
    assert min(transform.min_image_size(parameters)) >= 1
    assert (transform(sample, parameters).mask == 0).any()
