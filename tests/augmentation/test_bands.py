"""Augmentation of images of other bands than RGB."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sceneparse.augmentation.channels import by_channels
from sceneparse.augmentation.colors import jitter_colors, jitter_colors_of_batch
from sceneparse.augmentation.degradation import degrade
from sceneparse.augmentation.parameters import ColorJitter, Degradation
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample

SETTINGS: list[dict[str, Any]] = [
    {"crop": 0.5, "flip": 0.5},
    {"scale": (0.5, 2.0)},
    {"scale": (0.3, 0.5), "rotation": 90.0},
    {"crop": 0.6, "rotation": 45.0},
]


def sample(channels: int) -> Sample:
    random = np.random.default_rng(channels)
    small = random.integers(0, 256, (12, 16, channels), np.uint8)
    image = small.repeat(8, axis=0).repeat(8, axis=1)
    return Sample(image, random.integers(0, 3, (96, 128)).astype(np.uint8), "a")


def transformed(settings: dict[str, Any], given: Sample, index: int) -> Sample:
    transform = Transform(32, TransformSettings(size=32, **settings), seed=0, ignore_index=3)
    return transform(given, transform.draw_parameters(0, index))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 12])
def test_each_channel_is_resampled_like_one_of_an_rgb_image(
    channels: int, settings: dict[str, Any]
) -> None:
    given = sample(channels)
    for index in range(3):
        found = transformed(settings, given, index)
        assert found.image.shape == (32, 32, channels)
        for channel in range(channels):
            repeated = np.repeat(given.image[..., [channel]], 3, axis=2)
            expected = transformed(settings, given._replace(image=repeated), index)
            np.testing.assert_array_equal(found.mask, expected.mask)
            # Another fill colour shines in at the edge of the image.
            inside = cv2.erode((found.mask != 3).astype(np.uint8), np.ones((5, 5)), borderValue=0)
            difference = found.image[..., channel].astype(int) - expected.image[..., 0]
            # OpenCV rounds differently for each number of channels.
            assert np.abs(difference)[inside > 0].max(initial=0) <= 4


@pytest.mark.parametrize("channels", [1, 4, 12])
@pytest.mark.parametrize("rotation", [0.0, 45.0])
def test_pixels_beyond_the_image_have_one_value(channels: int, rotation: float) -> None:
    given = sample(channels)
    found = transformed({"scale": (0.2, 0.21), "rotation": rotation}, given, 0)
    assert (found.image[0, 0] == 115).all()
    assert found.mask[0, 0] == 3


@pytest.mark.parametrize("channels", [1, 2, 4, 12])
@pytest.mark.parametrize(
    "color_jitter", [ColorJitter(brightness=1.3), ColorJitter(contrast=0.6), ColorJitter(0.7, 1.3)]
)
def test_brightness_and_contrast_change_alike_on_both_devices(
    color_jitter: ColorJitter, channels: int
) -> None:
    image = sample(channels).image
    values = np.clip(image * color_jitter.brightness, 0, 255)
    mean = values.mean()
    expected = np.clip((values - mean) * color_jitter.contrast + mean, 0, 255)
    changed = jitter_colors(image, color_jitter)
    assert np.abs(changed - expected).max() <= 1.5
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    of_batch = jitter_colors_of_batch(batch, torch.tensor([color_jitter]))[0]
    assert np.abs(of_batch.permute(1, 2, 0).numpy() - expected).max() < 0.1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_images_without_colours_have_no_saturation_and_hue(channels: int) -> None:
    image = sample(channels).image
    color_jitter = ColorJitter(saturation=0.0, hue=0.3)
    np.testing.assert_array_equal(jitter_colors(image, color_jitter), image)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    changed = jitter_colors_of_batch(batch, torch.tensor([color_jitter]))
    torch.testing.assert_close(changed, batch.float(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 4, 12])
def test_bands_are_blurred_and_get_noise_but_no_jpeg(channels: int) -> None:
    image = sample(channels).image
    np.testing.assert_array_equal(degrade(image, Degradation(quality=30)), image)
    blurred = degrade(image, Degradation(blur=2.0))
    assert blurred.shape == image.shape
    assert blurred.astype(float).std() < image.std()
    noisy = degrade(np.full_like(image, 128), Degradation(noise=10.0, noise_seed=3))
    assert noisy.shape == image.shape
    assert 8 < noisy.astype(float).std() < 12
    assert channels == 1 or not np.array_equal(noisy[..., 0], noisy[..., 1])


def test_operations_get_at_most_four_channels() -> None:
    seen: list[tuple[int, ...]] = []

    def reverse(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        seen.append(part.shape)
        return part[::-1, :, 0] if part.shape[2] == 1 else part[::-1]

    image = sample(9).image
    np.testing.assert_array_equal(by_channels(image, reverse), image[::-1])
    assert [shape[2] for shape in seen] == [4, 4, 1]
