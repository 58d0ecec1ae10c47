"""Tests of degradation: strength, reproducibility, and no change by default."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.augmentation.degradation import degrade
from sceneparse.augmentation.parameters import CropBox, Degradation
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


def test_no_degradation_returns_the_image() -> None:
    image = smooth()
    assert degrade(image, Degradation(noise_seed=7)) is image


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_blur_has_the_given_standard_deviation(sigma: float) -> None:
    image = np.zeros((61, 61, 3), np.uint8)
    image[30, 30] = 255
    image[29:32, 29:32] = 255  # bright enough that the blurred point fits bytes
    blurred = degrade(image, Degradation(blur=sigma))[..., 0].astype(float)
    offsets = np.arange(61) - 30
    variance = (blurred.sum(axis=0) * offsets**2).sum() / blurred.sum()
    assert variance == pytest.approx(sigma**2 + 2 / 3, rel=0.15)


@pytest.mark.parametrize("sigma", [2.0, 10.0, 30.0])
def test_noise_has_zero_mean_the_given_deviation_and_no_correlation(sigma: float) -> None:
    noisy = degrade(flat(128), Degradation(noise=sigma, noise_seed=3)).astype(float) - 128
    assert abs(noisy.mean()) < 4 * sigma / noisy.size**0.5
    assert noisy.std() == pytest.approx(sigma, rel=0.05)
    for other in (np.roll(noisy, 1, axis=0), np.roll(noisy, 1, axis=1), np.roll(noisy, 1, axis=2)):
        assert abs((noisy * other).mean()) < 0.02 * sigma**2


def test_noise_is_clipped_and_depends_on_its_seed() -> None:
    first, again, other = (
        degrade(flat(250), Degradation(noise=30, noise_seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.3
    assert (first == 255).mean() > 0.3
    assert first.min() > 100


def test_lower_jpeg_quality_changes_more_but_keeps_colours() -> None:
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


def test_degradation_keeps_mask_and_size_and_probability_0_disables_it() -> None:
    random = np.random.default_rng(0)
    sample = Sample(smooth(), random.integers(0, 3, (96, 128), np.uint8), "smooth")
    plain = Transform(64, TransformSettings(), 0, 255)
    worse = Transform(64, TransformSettings(blur=1, noise=1, jpeg=1), 0, 255)
    for index in range(8):
        one = plain(sample, plain.draw_parameters(0, index))
        two = worse(sample, worse.draw_parameters(0, index))
        np.testing.assert_array_equal(two.mask, one.mask)
        assert two.image.shape == one.image.shape
        assert two.image.dtype == np.uint8
        assert (two.image != one.image).any()
        # At probability 0, the output is the resampled crop alone.
        resampled, _ = resample(sample.image, sample.mask, CropBox(0, 0, 1, 1), 64, flip=False)
        np.testing.assert_array_equal(one.image, resampled)


def test_degradation_precedes_colour_jitter_on_loader_and_device() -> None:
    sample = Sample(smooth(), np.zeros((96, 128), np.uint8), "smooth")
    fields = TransformSettings(brightness=0.4, saturation=0.5, noise=1, blur=1, jpeg=1, grey=0.3)
    here = Transform(64, fields, 0, 255)
    there = Transform(64, fields, 0, 255, defers_color_jitter=True)
    from sceneparse.augmentation.colors import jitter_colors

    for index in range(6):
        parameters = here.draw_parameters(0, index)
        left = there(sample, there.draw_parameters(0, index))
        expected = here(sample, parameters).image
        np.testing.assert_array_equal(jitter_colors(left.image, parameters.color_jitter), expected)
