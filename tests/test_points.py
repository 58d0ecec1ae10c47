"""Values at places equal those of the upsampled grid, whatever lies beyond the picture."""

import pytest
import torch
from torch import nn

from sceneparse.points import ids_at, logits_at, margins, values_at
from sceneparse.upsample import upsample


def centres(height: int, width: int) -> torch.Tensor:
    """The middles of all pixels `(1, H * W, 2)`, across and down."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([(across + 0.5) / width, (down + 0.5) / height], dim=-1)
    return places.double().flatten(0, 1)[None]


@pytest.mark.parametrize("covered", [(5.0, 7.0), (4.25, 6.5), (0.5, 0.75)])
@pytest.mark.parametrize("size", [(20, 28), (13, 9), (1, 1)])
def test_values_at_all_pixels_are_the_upsampled_ones(
    covered: tuple[float, float], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    values = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    found = values_at(values, centres(*size).expand(2, -1, -1), covered)
    torch.testing.assert_close(
        found.view(2, 3, *size), upsample(values, covered, size), rtol=1e-6, atol=1e-6
    )


def test_values_of_half_precision_are_mixed_in_full() -> None:
    values = torch.randn(1, 2, 4, 4).half()
    with torch.autocast("cpu", torch.bfloat16):
        found = values_at(values, centres(9, 9).float(), (4.0, 4.0))
    torch.testing.assert_close(found, values_at(values.float(), centres(9, 9), (4.0, 4.0)))
    assert found.dtype == torch.float32


def test_a_head_at_places_is_its_upsampled_logits() -> None:
    torch.manual_seed(0)
    features, head = torch.randn(2, 6, 5, 4, dtype=torch.float64), nn.Conv2d(6, 9, 1).double()
    at = values_at(features, centres(11, 7).expand(2, -1, -1), (4.5, 3.5))
    dense = upsample(head(features), (4.5, 3.5), (11, 7))
    torch.testing.assert_close(logits_at(at, head), dense.flatten(2), rtol=1e-6, atol=1e-6)


def test_ids_are_those_of_the_pixel_around_a_place() -> None:
    ids = torch.arange(2 * 5 * 3, dtype=torch.uint8).view(2, 5, 3)
    assert torch.equal(ids_at(ids, centres(5, 3).expand(2, -1, -1)), ids.flatten(1).long())
    corners = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [0.99, 0.0]]]).expand(2, -1, -1)
    assert ids_at(ids, corners).tolist() == [[0, 14, 2], [15, 29, 17]]


def test_margins_are_best_less_second() -> None:
    logits = torch.tensor([[[3.0, -1.0], [1.0, -1.0], [2.5, -4.0]]])
    assert margins(logits).tolist() == [[0.5, 0.0]]
    assert margins(logits[:, :1]).tolist() == [[0.0, 0.0]]
