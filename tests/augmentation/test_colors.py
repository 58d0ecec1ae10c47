"""Colour changes against torchvision's, one image at a time and by the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as reference

from sceneparse.augmentation.change import Colors
from sceneparse.augmentation.colors import changed_colors, changed_colors_of_batch
from sceneparse.data.io.decode import read_image

CHANGES = [
    Colors(brightness=1.3),
    Colors(brightness=0.6),
    Colors(contrast=1.4),
    Colors(contrast=0.5),
    Colors(saturation=1.4),
    Colors(saturation=0.0),
    Colors(hue=0.1),
    Colors(hue=-0.4),
    Colors(1.3, 0.8, 1.3, -0.05),
    Colors(0.7, 1.3, 0.6, 0.2),
]


def smooth_image() -> NDArray[np.uint8]:
    """Make an image that holds every hue, dark and light, pale and strong."""
    rows, columns = np.indices((64, 96)) / [[[64]], [[96]]]
    angle = 2 * np.pi * columns
    waves = np.stack([np.cos(angle), np.cos(angle - 2.1), np.cos(angle + 2.1)], -1)
    strength = (rows * (1 - rows) * 4)[..., None]
    return (255 * (rows[..., None] + waves * strength * 0.5).clip(0, 1)).astype(np.uint8)


def by_torchvision(image: NDArray[np.uint8], colors: Colors) -> NDArray[np.float32]:
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
    tensor = reference.adjust_brightness(tensor, colors.brightness)
    tensor = reference.adjust_contrast(tensor, colors.contrast)
    tensor = reference.adjust_saturation(tensor, colors.saturation)
    tensor = reference.adjust_hue(tensor, colors.hue)
    return (tensor * 255).permute(1, 2, 0).numpy()


def difference(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    return float(np.abs(first.astype(np.float64) - second.astype(np.float64)).mean())


@pytest.mark.parametrize("colors", CHANGES)
def test_colours_of_a_image_are_those_of_torchvision(colors: Colors) -> None:
    image = smooth_image()
    assert difference(changed_colors(image, colors), by_torchvision(image, colors)) < 1.0


def test_colours_of_a_batch_are_those_of_torchvision() -> None:
    image = smooth_image()
    images = np.stack([np.roll(image, 7 * place, axis=1) for place in range(len(CHANGES))])
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    changed = changed_colors_of_batch(batch, torch.tensor(CHANGES))
    for place, colors in enumerate(CHANGES):
        expected = by_torchvision(images[place], colors)
        assert difference(changed[place].permute(1, 2, 0).numpy(), expected) < 0.1


def test_no_change_changes_nothing() -> None:
    image = smooth_image()
    np.testing.assert_array_equal(changed_colors(image, Colors()), image)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    changed = changed_colors_of_batch(batch, torch.tensor([Colors()]))
    torch.testing.assert_close(changed, batch.float(), rtol=0, atol=1e-3)


def test_grey_has_no_hue_to_turn() -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(changed_colors(image, Colors(hue=0.3)), image)
    changed = changed_colors_of_batch(
        torch.from_numpy(image).permute(2, 0, 1)[None], torch.tensor([Colors(hue=0.3)])
    )
    torch.testing.assert_close(changed[0].permute(1, 2, 0), torch.from_numpy(image).float())


@pytest.mark.real
def test_real_images_change_as_by_torchvision(real_root: Path) -> None:
    random = np.random.default_rng(0)
    for path in sorted((real_root / "images" / "validation").iterdir())[:20]:
        image = read_image(path)
        brightness, contrast, saturation = random.uniform(0.7, 1.3, 3).tolist()
        colors = Colors(brightness, contrast, saturation, random.uniform(-0.1, 0.1))
        assert difference(changed_colors(image, colors), by_torchvision(image, colors)) < 2.0
