"""What is drawn: as before where the new fields are off, in range, each apart from the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sceneparse.augmentation.change import Change, Colors, Crop, Degradation, drawn
from sceneparse.augmentation.colors import changed_colors
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample

OLD = TransformSettings(
    crop=0.4, aspect=1.5, flip=0.5, brightness=0.3, contrast=0.2, saturation=0.3, hue=0.1
)
NEW: dict[str, Any] = {
    "rotation": 20.0,
    "class_share": 0.5,
    "color_probability": 0.5,
    "grey": 0.3,
    "blur": 0.5,
    "noise": 0.5,
    "jpeg": 0.5,
}


def drawn_before(
    augmentation: TransformSettings, random: np.random.Generator
) -> tuple[Crop, bool, Colors]:
    """Draw as version 0.1 did, before there was anything else to draw."""
    scale = random.uniform(augmentation.crop, 1.0)
    stretch = augmentation.aspect ** random.uniform(-0.5, 0.5)
    height, width = min(1.0, scale * stretch), min(1.0, scale / stretch)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    flip = bool(random.random() < augmentation.flip)
    ranges = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (random.uniform(1 - most, 1 + most) for most in ranges)
    hue = random.uniform(-augmentation.hue, augmentation.hue)
    return Crop(top, left, height, width), flip, Colors(brightness, contrast, saturation, hue)


def many(augmentation: TransformSettings, count: int = 1000) -> list[Change]:
    return [drawn(augmentation, np.random.default_rng(index)) for index in range(count)]


@pytest.mark.parametrize("augmentation", [OLD, TransformSettings(), TransformSettings(crop=0.2)])
def test_a_sample_is_bit_for_bit_what_it_was_where_everything_new_is_off(
    augmentation: TransformSettings,
) -> None:
    random = np.random.default_rng(7)
    image = random.integers(0, 256, (61, 83, 3), np.uint8)
    sample = Sample(image, random.integers(0, 5, (61, 83), np.uint8), "noise")
    transform = Transform(32, augmentation, 3, 255)
    for index in range(50):
        stream = np.random.default_rng([1, 3, 2, index])
        crop, flip, colors = drawn_before(augmentation, stream)
        expected, mask = resample(image, sample.mask, crop, 32, flip=flip)
        out = transform(sample, transform.change(2, index))
        np.testing.assert_array_equal(out.image, changed_colors(expected, colors))
        np.testing.assert_array_equal(out.mask, mask)


def test_nothing_is_the_default() -> None:
    for change in many(TransformSettings(), 20):
        assert change.cut.crops((40, 50)) == [Crop(0, 0, 1, 1)]
        assert change.colors == Colors()
        assert change.degradation._replace(noise_seed=0) == Degradation()
        assert not change.flip
        assert change.mix is None


@pytest.mark.parametrize("name", list(NEW))
def test_a_field_changes_nothing_but_what_it_says(name: str) -> None:
    parts = {"rotation": "cut", "class_share": "cut", "color_probability": "colors"}
    mine = parts.get(name, "colors" if name == "grey" else "degradation")
    plain, other = many(OLD, 30), many(replace(OLD, **{name: NEW[name]}), 30)
    for one, two in zip(plain, other, strict=True):
        assert one._replace(**{mine: None}) == two._replace(**{mine: None})
        assert one.cut.places[0] == two.cut.places[0]
        assert (one.cut.height, one.cut.width) == (two.cut.height, two.cut.width)
    assert plain != other


def test_ranges_hold() -> None:
    changes = many(TransformSettings(**NEW, scale=(0.5, 2.0), aspect=1.4))
    angles = np.array([change.cut.angle for change in changes])
    assert -20 <= angles.min() < -18
    assert 18 < angles.max() <= 20
    sides = np.array([(change.cut.height, change.cut.width) for change in changes])
    scales = 1 / np.sqrt(sides.prod(axis=1))
    assert 0.5 <= scales.min() < 0.53
    assert 1.9 < scales.max() <= 2
    # The scale itself is drawn evenly, not its logarithm.
    assert abs(scales.mean() - 1.25) < 0.05
    assert np.all(np.abs(np.log(sides[:, 0] / sides[:, 1])) <= np.log(1.4) + 1e-9)
    for values, most in (
        ([change.degradation.blur for change in changes], 2),
        ([change.degradation.noise for change in changes], 12),
        ([change.degradation.quality for change in changes], 95),
    ):
        there = [value for value in values if value]
        assert 0.4 < len(there) / len(values) < 0.6
        assert 0.9 * most < max(there) <= most
        assert min(there) >= (30 if most == 95 else 0.1 * most)
    assert 0.25 < np.mean([change.colors.saturation == 0 for change in changes]) < 0.35


def test_each_colour_changes_as_often_as_asked() -> None:
    colors = np.array([change.colors for change in many(replace(OLD, color_probability=0.25))])
    shares = (colors != np.array(Colors())).mean(axis=0)
    assert np.all(np.abs(shares - 0.25) < 0.05)
    never = many(replace(OLD, color_probability=0), 50)
    assert all(change.colors == Colors() for change in never)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (50, 50), (7, 200)])
def test_a_scaled_cut_is_square_and_holds_the_image_or_lies_in_it(size: tuple[int, int]) -> None:
    for change in many(TransformSettings(scale=(0.3, 3.0)), 200):
        (crop,) = change.cut.crops(size)
        height, width = crop.height * size[0], crop.width * size[1]
        assert height == pytest.approx(width)
        for start, length in ((crop.top, crop.height), (crop.left, crop.width)):
            if length <= 1:
                assert 0 <= start <= 1 - length + 1e-12
            else:
                assert start <= 0
                assert start + length >= 1 - 1e-12


def test_a_scaled_cut_needs_the_shorter_side_that_its_scale_asks_for() -> None:
    for change in many(TransformSettings(scale=(0.5, 2.0)), 50):
        (crop,) = change.cut.crops((300, 500))
        needed = change.cut.needed(64)
        assert needed[0] == needed[1]
        # The part of an image of that shorter side is as large as the square.
        assert crop.height * needed[0] == pytest.approx(64, rel=0.02)


@pytest.mark.parametrize("scale", [0.0001, 1000.0])
def test_no_scale_needs_a_image_without_pixels(scale: float) -> None:
    transform = Transform(32, TransformSettings(scale=(scale, scale)), 0, 255)
    image = np.full((30, 40, 3), 9, np.uint8)
    sample = Sample(image, np.zeros((30, 40), np.uint8), "dark")
    change = transform.change(0, 0)
    assert min(transform.smallest(change)) >= 1
    assert (transform(sample, change).mask == 0).any()
