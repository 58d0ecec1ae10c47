"""Blur, noise and JPEG: as strong as asked, the same for the same seed, and nothing by default."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.augmentation.change import Crop, Degradation
from sceneparse.augmentation.degradation import degrade
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample


def smooth() -> NDArray[np.uint8]:
    rows, columns = np.indices((96, 128))
    waves = [np.sin(rows / 9) + np.cos(columns / period) for period in (7, 11, 17)]
    return (128 + 50 * np.stack(waves, -1)).astype(np.uint8)


def flat(value: int) -> NDArray[np.uint8]:
    return np.full((200, 200, 3), value, np.uint8)


def test_no_artefacts_are_no_change() -> None:
    image = smooth()
    assert degrade(image, Degradation(noise_seed=7)) is image


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_a_blurred_point_has_the_standard_deviation_that_was_asked_for(sigma: float) -> None:
    image = np.zeros((61, 61, 3), np.uint8)
    image[30, 30] = 255
    image[29:32, 29:32] = 255  # enough light that bytes can hold the blurred one
    blurred = degrade(image, Degradation(blur=sigma))[..., 0].astype(float)
    offsets = np.arange(61) - 30
    variance = (blurred.sum(axis=0) * offsets**2).sum() / blurred.sum()
    assert variance == pytest.approx(sigma**2 + 2 / 3, rel=0.15)


@pytest.mark.parametrize("sigma", [2.0, 10.0, 30.0])
def test_noise_has_no_mean_the_asked_deviation_and_no_pattern(sigma: float) -> None:
    noisy = degrade(flat(128), Degradation(noise=sigma, noise_seed=3)).astype(float) - 128
    assert abs(noisy.mean()) < 4 * sigma / noisy.size**0.5
    assert noisy.std() == pytest.approx(sigma, rel=0.05)
    for other in (np.roll(noisy, 1, axis=0), np.roll(noisy, 1, axis=1), np.roll(noisy, 1, axis=2)):
        assert abs((noisy * other).mean()) < 0.02 * sigma**2


def test_noise_is_clipped_and_follows_its_seed() -> None:
    first, again, other = (
        degrade(flat(250), Degradation(noise=30, noise_seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.3
    assert (first == 255).mean() > 0.3
    assert first.min() > 100


def test_a_jpeg_of_lower_quality_differs_more_and_keeps_its_colours() -> None:
    image = smooth()
    errors = [
        float(np.abs(degrade(image, Degradation(quality=quality)).astype(int) - image).mean())
        for quality in (95, 60, 10)
    ]
    assert 0 < errors[0] < errors[1] < errors[2] < 12
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    compressed = degrade(red, Degradation(quality=90))
    assert np.abs(compressed.astype(int) - red).max() < 8


def test_the_mask_and_the_size_stay_and_probability_zero_is_off() -> None:
    random = np.random.default_rng(0)
    sample = Sample(smooth(), random.integers(0, 3, (96, 128), np.uint8), "smooth")
    plain = Transform(64, TransformSettings(), 0, 255)
    worse = Transform(64, TransformSettings(blur=1, noise=1, jpeg=1), 0, 255)
    for index in range(8):
        one = plain(sample, plain.change(0, index))
        two = worse(sample, worse.change(0, index))
        np.testing.assert_array_equal(two.mask, one.mask)
        assert two.image.shape == one.image.shape
        assert two.image.dtype == np.uint8
        assert (two.image != one.image).any()
        # At probability 0 nothing but the square is made of it.
        resampled, _ = resample(sample.image, sample.mask, Crop(0, 0, 1, 1), 64, flip=False)
        np.testing.assert_array_equal(one.image, resampled)


def test_artefacts_come_before_the_colours_whoever_changes_them() -> None:
    sample = Sample(smooth(), np.zeros((96, 128), np.uint8), "smooth")
    fields = TransformSettings(brightness=0.4, saturation=0.5, noise=1, blur=1, jpeg=1, grey=0.3)
    here = Transform(64, fields, 0, 255)
    there = Transform(64, fields, 0, 255, leaves_colors=True)
    from sceneparse.augmentation.colors import changed_colors

    for index in range(6):
        change = here.change(0, index)
        left = there(sample, there.change(0, index))
        expected = here(sample, change).image
        np.testing.assert_array_equal(changed_colors(left.image, change.colors), expected)
