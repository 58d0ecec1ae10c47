"""Mean field against sums over all pairs of pixels, one by one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.settings import DenseCrfRefinement
from tests.inference.networks import random_image


def slow_mean_field(
    probabilities: NDArray[np.float64], image: NDArray[np.uint8], settings: DenseCrfRefinement
) -> NDArray[np.float64]:
    """Do algorithm 1 of Krähenbühl & Koltun (2011) with full matrices of pairs, in float64."""
    classes, height, width = probabilities.shape
    position = np.array(list(np.ndindex(height, width)), np.float64)
    color = image.reshape(-1, 3).astype(np.float64)
    apart = position[:, None] - position
    counted = (np.abs(apart).max(axis=-1) <= settings.radius) & ~np.eye(len(position), dtype=bool)
    squares = (apart**2).sum(axis=-1)
    colors = ((color[:, None] - color) ** 2).sum(axis=-1)
    similar = np.exp(
        -squares / (2 * settings.similar_spread**2) - colors / (2 * settings.similar_color**2)
    )
    near = np.exp(-squares / (2 * settings.near_spread**2))
    weights = np.zeros_like(squares)
    for weight, kernel in ((settings.similar_weight, similar), (settings.near_weight, near)):
        inside = kernel * counted
        norm = inside.sum(axis=1) ** -0.5
        weights += weight * norm[:, None] * inside * norm
    unary = -np.log(probabilities.reshape(classes, -1))
    current = probabilities.reshape(classes, -1)
    for _ in range(settings.iterations):
        message = current @ weights
        # Potts: a class pays for what the neighbours give to all others.
        pairwise = message.sum(axis=0) - message
        current = np.exp(-unary - pairwise)
        current /= current.sum(axis=0)
    return current.reshape(probabilities.shape)


@pytest.mark.parametrize("radius", [1, 3, 20])
@pytest.mark.parametrize("iterations", [1, 4])
@pytest.mark.parametrize("color", [10.0, 60.0])
def test_mean_field_agrees_with_a_slow_reference(
    radius: int, iterations: int, color: float
) -> None:
    image = random_image(9, 12)
    image[:, :6] = image[:, :6] // 16 + 100  # one half nearly of one colour
    probabilities = np.random.default_rng(1).dirichlet(np.ones(4), (9, 12)).transpose(2, 0, 1)
    settings = DenseCrfRefinement(
        iterations=iterations, radius=radius, similar_color=color, near_weight=2
    )
    ours = DenseCrf(settings)(probabilities.astype(np.float32), image)
    expected = slow_mean_field(probabilities, image, settings)
    np.testing.assert_allclose(ours, expected, atol=2e-4)


def test_no_iteration_changes_what_all_pixels_agree_on() -> None:
    probabilities = np.zeros((3, 8, 8), np.float32)
    probabilities[1] = 1
    found = DenseCrf()(probabilities, random_image(8, 8))
    np.testing.assert_allclose(found, probabilities, atol=1e-6)


def test_it_works_at_the_size_that_the_network_saw_and_never_above_the_image() -> None:
    probabilities = np.full((2, 8, 10), 0.5, np.float32)
    assert DenseCrf(stride=4)(probabilities, random_image(500, 700)).shape == (2, 32, 40)
    assert DenseCrf(stride=4)(probabilities, random_image(20, 700)).shape == (2, 20, 40)


def test_a_wrong_pixel_joins_those_of_its_colour() -> None:
    image = np.zeros((12, 12, 3), np.uint8)
    image[:, 6:] = 200
    first = np.where(image[..., 0] == 0, 0.9, 0.1)
    first[5, 2], first[5, 6] = 0.3, 0.7  # one inside, one at the edge
    found = DenseCrf()(np.stack([first, 1 - first]).astype(np.float32), image)
    np.testing.assert_array_equal(found[0] > 0.5, image[..., 0] == 0)
