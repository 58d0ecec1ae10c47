"""Tests of colour jitter against torchvision, for one image and for a batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as reference

from sceneparse.augmentation.colors import jitter_colors, jitter_colors_of_batch
from sceneparse.augmentation.parameters import ColorJitter
from sceneparse.data.io.decode import read_image

JITTERS = [
    ColorJitter(brightness=1.3),
    ColorJitter(brightness=0.6),
    ColorJitter(contrast=1.4),
    ColorJitter(contrast=0.5),
    ColorJitter(saturation=1.4),
    ColorJitter(saturation=0.0),
    ColorJitter(hue=0.1),
    ColorJitter(hue=-0.4),
    ColorJitter(1.3, 0.8, 1.3, -0.05),
    ColorJitter(0.7, 1.3, 0.6, 0.2),
]


def smooth_image() -> NDArray[np.uint8]:
    """Make an image of all hues, dark and light, pale and saturated."""
    rows, columns = np.indices((64, 96)) / [[[64]], [[96]]]
    angle = 2 * np.pi * columns
    waves = np.stack([np.cos(angle), np.cos(angle - 2.1), np.cos(angle + 2.1)], -1)
    strength = (rows * (1 - rows) * 4)[..., None]
    return (255 * (rows[..., None] + waves * strength * 0.5).clip(0, 1)).astype(np.uint8)


def jitter_with_torchvision(
    image: NDArray[np.uint8], color_jitter: ColorJitter
) -> NDArray[np.float32]:
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
    tensor = reference.adjust_brightness(tensor, color_jitter.brightness)
    tensor = reference.adjust_contrast(tensor, color_jitter.contrast)
    tensor = reference.adjust_saturation(tensor, color_jitter.saturation)
    tensor = reference.adjust_hue(tensor, color_jitter.hue)
    return (tensor * 255).permute(1, 2, 0).numpy()


def difference(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    return float(np.abs(first.astype(np.float64) - second.astype(np.float64)).mean())


@pytest.mark.parametrize("color_jitter", JITTERS)
def test_colour_jitter_of_an_image_equals_torchvision(color_jitter: ColorJitter) -> None:
    image = smooth_image()
    assert (
        difference(jitter_colors(image, color_jitter), jitter_with_torchvision(image, color_jitter))
        < 1.0
    )


def test_colour_jitter_of_a_batch_equals_torchvision() -> None:
    image = smooth_image()
    images = np.stack([np.roll(image, 7 * index, axis=1) for index in range(len(JITTERS))])
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    changed = jitter_colors_of_batch(batch, torch.tensor(JITTERS))
    for index, color_jitter in enumerate(JITTERS):
        expected = jitter_with_torchvision(images[index], color_jitter)
        assert difference(changed[index].permute(1, 2, 0).numpy(), expected) < 0.1


def test_no_colour_jitter_changes_nothing() -> None:
    image = smooth_image()
    np.testing.assert_array_equal(jitter_colors(image, ColorJitter()), image)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    changed = jitter_colors_of_batch(batch, torch.tensor([ColorJitter()]))
    torch.testing.assert_close(changed, batch.float(), rtol=0, atol=1e-3)


def test_a_hue_shift_does_not_change_grey() -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(jitter_colors(image, ColorJitter(hue=0.3)), image)
    changed = jitter_colors_of_batch(
        torch.from_numpy(image).permute(2, 0, 1)[None], torch.tensor([ColorJitter(hue=0.3)])
    )
    torch.testing.assert_close(changed[0].permute(1, 2, 0), torch.from_numpy(image).float())


@pytest.mark.real
def test_colour_jitter_of_real_images_equals_torchvision(real_root: Path) -> None:
    random = np.random.default_rng(0)
    for path in sorted((real_root / "images" / "validation").iterdir())[:20]:
        image = read_image(path)
        brightness, contrast, saturation = random.uniform(0.7, 1.3, 3).tolist()
        color_jitter = ColorJitter(brightness, contrast, saturation, random.uniform(-0.1, 0.1))
        assert (
            difference(
                jitter_colors(image, color_jitter), jitter_with_torchvision(image, color_jitter)
            )
            < 2.0
        )
