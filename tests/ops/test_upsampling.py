"""Bilinear upsampling as matrix products."""

import pytest
import torch
import torch.nn.functional as F

from sceneparse.ops.upsampling import argmax, interpolation_matrix, tiles, upsample


@pytest.mark.parametrize(
    ("source_size", "size"), [((7, 9), (28, 36)), ((5, 4), (5, 9)), ((6, 8), (3, 5))]
)
def test_upsampling_equals_torch(source_size: tuple[int, int], size: tuple[int, int]) -> None:
    logits = torch.randn(2, 3, *source_size, dtype=torch.float64).float()
    expected = F.interpolate(logits, size=size, mode="bilinear")
    torch.testing.assert_close(upsample(logits, source_size, size), expected, rtol=1e-5, atol=1e-5)


def test_upsampling_part_of_the_cells_equals_cropping_afterwards() -> None:
    logits = torch.randn(1, 2, 8, 8)
    whole = F.interpolate(logits, scale_factor=4, mode="bilinear")
    part = upsample(logits, (6.5, 7.25), (26, 29))
    torch.testing.assert_close(part, whole[:, :, :26, :29], rtol=1e-5, atol=1e-5)


def test_weights_of_each_pixel_sum_to_one() -> None:
    for size, source_size, covered in ((13, 5, 5.0), (3, 9, 8.2), (4, 1, 1.0)):
        rows = interpolation_matrix(size, source_size, covered).sum(dim=1)
        torch.testing.assert_close(rows, torch.ones(size))


CPU = torch.device("cpu")


@pytest.fixture(params=["by groups", "by one product"])
def _each_way_to_interpolate(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interpolate the rows of a tile as on a CPU, and as on an accelerator."""
    if request.param == "by one product":
        monkeypatch.setattr("sceneparse.ops.upsampling.ROW_GROUP_DEVICES", set[str]())


@pytest.mark.usefixtures("_each_way_to_interpolate")
@pytest.mark.parametrize("max_bytes", [1, 600, 4000, 10**7])
@pytest.mark.parametrize(
    ("source_size", "covered", "size"),
    [
        ((7, 9), (7.0, 9.0), (28, 36)),
        ((5, 4), (4.2, 3.9), (17, 150)),
        ((6, 8), (6.0, 8.0), (3, 5)),
        ((1, 1), (1.0, 1.0), (4, 6)),
        ((1, 5), (0.5, 5.0), (2, 300)),
        ((4, 4), (4.0, 4.0), (4, 4)),
    ],
)
def test_tiles_put_together_are_the_whole(
    source_size: tuple[int, int],
    covered: tuple[float, float],
    size: tuple[int, int],
    max_bytes: int,
) -> None:
    logits = torch.randn(source_size[0], 3, source_size[1])
    expected = upsample(logits.transpose(0, 1)[None], covered, size)[0]
    whole = torch.full_like(expected, torch.nan)
    for tile in tiles(size, source_size, covered, 3, CPU, max_bytes):
        assert whole[:, *tile.pixels].isnan().all()
        whole[:, *tile.pixels] = tile.upsampled(logits).transpose(0, 1)
    torch.testing.assert_close(whole, expected)


@pytest.mark.usefixtures("_each_way_to_interpolate")
@pytest.mark.parametrize("max_bytes", [1, 600, 10**7])
@pytest.mark.parametrize("covered", [(5.0, 4.0), (4.2, 3.9), (0.7, 1.0)])
def test_narrowing_is_the_transpose_of_widening(
    covered: tuple[float, float], max_bytes: int
) -> None:
    size, source_size = (17, 23), (5, 4)
    logits = torch.randn(5, 3, 4, dtype=torch.float32, requires_grad=True)
    gradient = torch.randn(3, *size)
    upsample(logits.transpose(0, 1)[None], covered, size)[0].backward(gradient)
    added = torch.zeros(5, 3, 4)
    for tile in tiles(size, source_size, covered, 3, CPU, max_bytes):
        tile.accumulate_gradient_(added, gradient[:, *tile.pixels].transpose(0, 1).contiguous())
    torch.testing.assert_close(added, logits.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("classes", [3688, 5793, 7000])
def test_the_likeliest_of_thousands_of_classes_is_exact(classes: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, classes, 50)
    shifted = logits - logits.amax(dim=1, keepdim=True)
    assert torch.equal(argmax(shifted), logits.argmax(dim=1))


def test_the_likeliest_class_is_the_first_of_the_largest() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 150, 7)
    tied = logits.clone()
    tied[2, [3, 90], 4] = 9.0
    for values in (logits, tied, torch.zeros(2, 4, 3)):
        shifted = values - values.amax(dim=1, keepdim=True)
        torch.testing.assert_close(argmax(shifted), values.argmax(dim=1))
