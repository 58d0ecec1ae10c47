"""Bilinear upsampling as matrix products."""

import pytest
import torch
import torch.nn.functional as F

from sceneparse.upsample import interpolation_matrix, row_strips, upsample


@pytest.mark.parametrize(
    ("cells", "size"), [((7, 9), (28, 36)), ((5, 4), (5, 9)), ((6, 8), (3, 5))]
)
def test_upsampling_equals_torch(cells: tuple[int, int], size: tuple[int, int]) -> None:
    logits = torch.randn(2, 3, *cells, dtype=torch.float64).float()
    expected = F.interpolate(logits, size=size, mode="bilinear")
    torch.testing.assert_close(upsample(logits, cells, size), expected, rtol=1e-5, atol=1e-5)


def test_upsampling_part_of_the_cells_equals_cropping_afterwards() -> None:
    logits = torch.randn(1, 2, 8, 8)
    whole = F.interpolate(logits, scale_factor=4, mode="bilinear")
    part = upsample(logits, (6.5, 7.25), (26, 29))
    torch.testing.assert_close(part, whole[:, :, :26, :29], rtol=1e-5, atol=1e-5)


def test_weights_of_each_pixel_sum_to_one() -> None:
    for size, cells, covered in ((13, 5, 5.0), (3, 9, 8.2), (4, 1, 1.0)):
        rows = interpolation_matrix(size, cells, covered).sum(dim=1)
        torch.testing.assert_close(rows, torch.ones(size))


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_strips_put_together_are_the_whole_matrix(rows: int) -> None:
    whole = interpolation_matrix(30, 7, 6.4)
    again = torch.zeros_like(whole)
    for part, band, mix in row_strips(30, 7, 6.4, rows):
        again[part, band] = mix
    torch.testing.assert_close(again, whole)
