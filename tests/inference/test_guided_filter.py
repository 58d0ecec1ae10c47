"""The guided filter against the formulas of the paper, pixel by pixel."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.inference.guided_filter import GuidedFilter, box_mean
from sceneparse.inference.settings import GuidedFilterRefinement
from tests.inference.networks import random_image


def slow_box_mean(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    result = np.empty_like(values)
    for row, column in np.ndindex(values.shape[-2:]):
        rows = slice(max(row - radius, 0), row + radius + 1)
        columns = slice(max(column - radius, 0), column + radius + 1)
        result[..., row, column] = values[..., rows, columns].mean(axis=(-2, -1))
    return result


def slow_guided_filter(
    guide: NDArray[np.float64], values: NDArray[np.float64], radius: int, epsilon: float
) -> NDArray[np.float64]:
    """Filter `(h, w)` with a guide `(3, h, w)`: eqs. 19 to 21 of He et al. (2013)."""
    height, width = values.shape
    fits = np.empty((4, height, width))
    for row, column in np.ndindex(height, width):
        rows = slice(max(row - radius, 0), row + radius + 1)
        columns = slice(max(column - radius, 0), column + radius + 1)
        colors = guide[:, rows, columns].reshape(3, -1)
        inside = values[rows, columns].ravel()
        covariance = np.cov(colors, bias=True) + epsilon * np.eye(3)
        with_values = (colors * inside).mean(axis=1) - colors.mean(axis=1) * inside.mean()
        slopes = np.linalg.solve(covariance, with_values)
        fits[:, row, column] = [*slopes, inside.mean() - slopes @ colors.mean(axis=1)]
    fits = slow_box_mean(fits, radius)
    return (fits[:3] * guide).sum(axis=0) + fits[3]


@pytest.mark.parametrize("radius", [1, 3, 50])
def test_box_means_agree_with_a_slow_reference(radius: int) -> None:
    values = np.random.default_rng(0).normal(size=(2, 9, 13))
    np.testing.assert_allclose(box_mean(values, radius), slow_box_mean(values, radius), atol=1e-12)


@pytest.mark.parametrize("radius", [1, 2, 4])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-2])
def test_the_filter_agrees_with_a_slow_reference(radius: int, epsilon: float) -> None:
    image = random_image(14, 11)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), (14, 11)).transpose(2, 0, 1)
    expected = np.stack(
        [
            slow_guided_filter(image.transpose(2, 0, 1) / 255, plane, radius, epsilon)
            for plane in probabilities
        ]
    ).clip(min=1e-6)
    expected /= expected.sum(axis=0)
    ours = GuidedFilter(GuidedFilterRefinement(radius=radius, epsilon=epsilon))(
        probabilities.astype(np.float32), image
    )
    np.testing.assert_allclose(ours, expected, atol=2e-5)


@pytest.mark.parametrize("size", [(20, 30), (64, 48), (7, 5)])
def test_constants_are_preserved_at_any_size(size: tuple[int, int]) -> None:
    probabilities = np.array([0.2, 0.7, 0.1], np.float32)[:, None, None].repeat(10, 1).repeat(12, 2)
    found = GuidedFilter()(probabilities, random_image(*size))
    assert found.shape == (3, *size)
    np.testing.assert_allclose(
        found, np.broadcast_to(probabilities[:, :1, :1], found.shape), atol=1e-5
    )


def test_a_plain_photo_moves_no_edge() -> None:
    probabilities = np.zeros((2, 8, 16), np.float32)
    probabilities[0, :, :8] = probabilities[1, :, 8:] = 1
    found = GuidedFilter(GuidedFilterRefinement(radius=1))(
        probabilities, np.full((64, 128, 3), 90, np.uint8)
    )
    np.testing.assert_array_equal(found.argmax(axis=0), np.repeat([0, 1], 64)[None].repeat(64, 0))


def test_an_edge_moves_to_the_edge_of_the_image() -> None:
    # The image changes within a column of the probabilities, at pixel 68 of strides of 8.
    image = np.full((64, 128, 3), 50, np.uint8)
    image[:, 68:] = 200
    share = image[:, :, 0].reshape(8, 8, 16, 8).mean(axis=(1, 3)).astype(np.float32)
    second = (share - 50) / 150
    found = GuidedFilter(GuidedFilterRefinement(radius=3, epsilon=1e-4))(
        np.stack([1 - second, second]), image
    )
    np.testing.assert_array_equal(found.argmax(axis=0), (image[..., 0] == 200).astype(int))
