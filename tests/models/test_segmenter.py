"""Normalisation and padding inside the segmenter."""

import pytest
import torch

from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet


@pytest.fixture
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(UNet(4, width=4), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)).eval()


@torch.no_grad()
def test_segmenter_normalises_as_the_weights_expect(segmenter: Segmenter) -> None:
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    mean = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)
    std = torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1)
    expected = segmenter.network((image / 255 - mean) / std)
    torch.testing.assert_close(segmenter(image), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 17), (31, 64)])
def test_segmenter_takes_any_size(segmenter: Segmenter, height: int, width: int) -> None:
    image = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    logits = segmenter(image)
    assert logits.shape[2] >= height
    assert logits.shape[3] >= width
    assert segmenter.covered(height, width) == (height, width)
    mask = torch.zeros(2, height, width, dtype=torch.uint8)
    assert segmenter(image, mask, CrossEntropy(CrossEntropyLoss(), 255)).total.isfinite()


@torch.no_grad()
def test_padding_does_not_move_the_image(segmenter: Segmenter) -> None:
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    # The cropped pixels reach the top left corner only through the bottleneck.
    whole, cropped = segmenter(image), segmenter(image[:, :, :63, :63])
    assert (whole[..., :8, :8] - cropped[..., :8, :8]).abs().max() < 0.2 * whole.abs().max()
