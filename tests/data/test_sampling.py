"""Tests of the sample order, and of repeat factors."""

import numpy as np
import pytest

from sceneparse.data.sampling import epoch_order, repeat_factors, weighted_index

FACTORS = np.array([1.0, 1.0, 3.0, 1.5, 1.0, 2.25, 1.0, 4.0, 1.0, 1.0, 1.3])


def test_a_repeat_factor_is_that_of_the_rarest_class() -> None:
    """Compare with the definition of LVIS, class by class."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 50, (60, 7)) * (
        random.random((60, 7)) < [0.9, 0.5, 0.2, 0.1, 0, 0.05, 0.3]
    )
    pixels[0] = 0
    factors = repeat_factors(pixels, 0.25)
    for row, factor in zip(pixels, factors, strict=True):
        expected = 1.0
        for class_id in np.flatnonzero(row):
            share = float((pixels[:, class_id] > 0).mean())
            expected = max(expected, (0.25 / share) ** 0.5)
        assert factor == pytest.approx(expected)
    assert factors[0] == 1
    assert factors.max() > 1.5


def test_without_factors_the_order_is_a_seeded_permutation() -> None:
    for epoch in range(3):
        before = np.random.default_rng([0, 5, epoch]).permutation(11)
        np.testing.assert_array_equal(epoch_order(5, epoch, 11), before)


@pytest.mark.parametrize("seed", range(4))
def test_counts_match_the_factors_per_epoch_and_on_average(seed: int) -> None:
    expected = FACTORS * len(FACTORS) / FACTORS.sum()
    total = np.zeros(len(FACTORS))
    for epoch in range(400):
        order = epoch_order(seed, epoch, len(FACTORS), FACTORS)
        assert len(order) == len(FACTORS)
        counts = np.bincount(order, minlength=len(FACTORS))
        assert np.all(np.abs(counts - expected) < 1)
        total += counts
        # Independent draws would deviate by the square root of the number of epochs.
        assert np.all(np.abs(total - (epoch + 1) * expected) < 2.5)
    np.testing.assert_allclose(total / 400, expected, atol=0.01)


def test_equal_factors_draw_each_sample_once() -> None:
    for epoch in range(20):
        order = epoch_order(0, epoch, 50, np.full(50, 1.7))
        assert sorted(order.tolist()) == list(range(50))


def test_orders_differ_between_epochs_and_seeds() -> None:
    orders = {tuple(epoch_order(s, e, 11, FACTORS).tolist()) for s in range(3) for e in range(3)}
    assert len(orders) == 9
    again = epoch_order(2, 7, 11, FACTORS)
    np.testing.assert_array_equal(again, epoch_order(2, 7, 11, FACTORS))


def test_an_epoch_may_have_one_sample() -> None:
    assert epoch_order(0, 3, 1, np.array([5.0])).tolist() == [0]


def test_weighted_index_is_proportional_to_the_weights() -> None:
    positions = (np.arange(1000) + 0.5) / 1000
    even = np.bincount([weighted_index(position, 4, None) for position in positions])
    np.testing.assert_array_equal(even, [250] * 4)
    uneven = np.bincount(
        [weighted_index(position, 3, np.cumsum([1.0, 3.0, 1.0])) for position in positions]
    )
    np.testing.assert_array_equal(uneven, [200, 600, 200])
    assert weighted_index(np.nextafter(1, 0), 3, np.cumsum([0.1, 0.2, 0.3])) == 2
