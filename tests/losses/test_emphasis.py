"""What pixels count: hard ones alone, and those near a boundary more."""

import math

import pytest
import torch
from tests.losses.examples import IGNORE, bells
from torch import Tensor

from sceneparse.losses.boundary import at_boundary, near_boundary
from sceneparse.losses.hard_pixels import hard_pixels


def never() -> Tensor:
    raise AssertionError


def hard(confidence: Tensor, valid: Tensor, threshold: float, least: float) -> Tensor:
    target = valid.int()
    return hard_pixels(target, valid, lambda: confidence, threshold=threshold, least=least)


def test_pixels_below_the_threshold_are_kept_and_count_one_on_average() -> None:
    confidence = torch.tensor([[[0.1, 0.5, 0.69, 0.7, 0.9, 0.2]]])
    valid = torch.tensor([[[True, True, True, True, True, False]]])
    kept = hard(confidence, valid, 0.7, 0.2)
    torch.testing.assert_close(kept, torch.tensor([[[5 / 3, 5 / 3, 5 / 3, 0.0, 0.0, 0.0]]]))


@pytest.mark.parametrize(("least", "count"), [(0.2, 1), (0.21, 2), (0.5, 3), (1.0, 5)])
def test_a_share_of_the_pixels_is_kept_however_sure_they_are(least: float, count: int) -> None:
    confidence = torch.tensor([[[0.91, 0.95, 0.99, 0.97, 0.93, 0.0]]])
    valid = torch.tensor([[[True, True, True, True, True, False]]])
    kept = hard(confidence, valid, 0.7, least)
    assert kept[valid].count_nonzero() == count
    assert kept[valid].mean() == pytest.approx(1)
    lowest = confidence[0, 0, :5].argsort()[:count]
    assert kept[0, 0, lowest].all()
    assert kept[0, 0, 5] == 0


def test_a_pixel_counts_by_its_distance_to_the_nearest_boundary() -> None:
    target = torch.zeros(1, 9, 30, dtype=torch.uint8)
    target[:, :, 15:] = 1
    counted = near_boundary(target, target != IGNORE, never, extra=4.0, sigma=2.0)
    for distance in range(7):
        expected = 1 + 4 * math.exp(-(distance**2) / 8)
        assert counted[0, 4, 15 + distance] == pytest.approx(expected)
        assert counted[0, 4, 14 - distance] == pytest.approx(expected)
    assert counted[0, 4, 25] == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (17, 12)])
def test_boundaries_agree_with_distances_measured_one_by_one(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 3, (2, *size), dtype=torch.int32).repeat_interleave(3, 2)
    target[torch.rand(target.shape) < 0.1] = IGNORE
    counted = near_boundary(target, target != IGNORE, never, extra=2.0, sigma=1.0)
    torch.testing.assert_close(counted.double(), bells(target, 2.0, 1.0), rtol=1e-5, atol=1e-6)


def test_there_is_no_boundary_with_void_nor_across_it() -> None:
    target = torch.tensor([[[0, 0, IGNORE, 1, 1, 1]]], dtype=torch.uint8)
    valid = target != IGNORE
    assert not at_boundary(target, valid).any()
    assert (near_boundary(target, valid, never, extra=4.0, sigma=2.0) == 1).all()
    target[0, 0, 5] = 2
    assert at_boundary(target, valid).tolist() == [[[False] * 4 + [True, True]]]
