"""Positions and weights, against a slow reference of single points."""

import numpy as np
import pytest

from sceneparse.ops.interpolation import positions


def interpolated(values: list[float], position: float) -> float:
    """Interpolate linearly at a position; outside of the values, the nearest of them."""
    position = min(max(position, 0.0), len(values) - 1.0)
    first = min(int(position), len(values) - 1)
    second = min(first + 1, len(values) - 1)
    return values[first] * (first + 1 - position) + values[second] * (position - first)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(
    ("size", "covered", "source_size", "source_covered"),
    [(16, 16.0, 4, 4.0), (5, 4.3, 7, 6.1), (3, 3.0, 9, 8.2), (4, 4.0, 1, 1.0), (2, 2.0, 1, 0.5)],
)
def test_each_point_takes_from_its_two_neighbours(
    size: int, covered: float, source_size: int, source_covered: float, *, flipped: bool
) -> None:
    values = np.random.default_rng(0).normal(size=source_size)
    found = positions(size, covered, source_size, source_covered, flipped=flipped)
    weights = found.weights(source_size)
    for point in range(size):
        # As a share of the image: the same place on both grids.
        center = (point + 0.5) / covered
        position = (1 - center if flipped else center) * source_covered - 0.5
        expected = interpolated(values.tolist(), position)
        # Weights are rounded to fp32: half a unit of 6e-8 for each of two values up to 3.
        assert weights[point] @ values == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("step", [1, 3, 100])
def test_parts_of_the_positions_need_the_same_sources(step: int) -> None:
    found = positions(17, 17, 6, 5.3)
    whole = found.weights(6)
    for start in range(0, 17, step):
        sources, within = found.part(slice(start, start + step), 6)
        part = np.zeros((len(within.first), 6), np.float32)
        part[:, sources] = within.weights(sources.stop - sources.start)
        np.testing.assert_array_equal(part, whole[start : start + step])
