"""Balanced epochs: as long as before, as often as the factors say, the same whoever draws them."""

import numpy as np
import pytest

from sceneparse.data.sampling import epoch_order, repeat_factors, sample_at

FACTORS = np.array([1.0, 1.0, 3.0, 1.5, 1.0, 2.25, 1.0, 4.0, 1.0, 1.0, 1.3])


def test_factors_are_those_of_the_rarest_class_of_a_sample() -> None:
    """Against the definition of LVIS, class by class."""
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


def test_without_factors_the_order_is_the_permutation_that_it_was() -> None:
    for epoch in range(3):
        before = np.random.default_rng([0, 5, epoch]).permutation(11)
        np.testing.assert_array_equal(epoch_order(5, epoch, 11), before)


@pytest.mark.parametrize("seed", range(4))
def test_counts_match_the_factors_in_each_epoch_and_over_many(seed: int) -> None:
    expected = FACTORS * len(FACTORS) / FACTORS.sum()
    total = np.zeros(len(FACTORS))
    for epoch in range(400):
        order = epoch_order(seed, epoch, len(FACTORS), FACTORS)
        assert len(order) == len(FACTORS)
        counts = np.bincount(order, minlength=len(FACTORS))
        assert np.all(np.abs(counts - expected) < 1)
        total += counts
        # Evenly over the epochs: a random draw would be off by the square root of their number.
        assert np.all(np.abs(total - (epoch + 1) * expected) < 2.5)
    np.testing.assert_allclose(total / 400, expected, atol=0.01)


def test_equal_factors_draw_each_sample_once() -> None:
    for epoch in range(20):
        order = epoch_order(0, epoch, 50, np.full(50, 1.7))
        assert sorted(order.tolist()) == list(range(50))


def test_orders_differ_from_epoch_to_epoch_and_by_seed() -> None:
    orders = {tuple(epoch_order(s, e, 11, FACTORS).tolist()) for s in range(3) for e in range(3)}
    assert len(orders) == 9
    again = epoch_order(2, 7, 11, FACTORS)
    np.testing.assert_array_equal(again, epoch_order(2, 7, 11, FACTORS))


def test_one_sample_is_an_epoch() -> None:
    assert epoch_order(0, 3, 1, np.array([5.0])).tolist() == [0]


def test_places_are_as_wide_as_samples_are_often_drawn() -> None:
    places = (np.arange(1000) + 0.5) / 1000
    even = np.bincount([sample_at(place, 4, None) for place in places])
    np.testing.assert_array_equal(even, [250] * 4)
    uneven = np.bincount([sample_at(place, 3, np.cumsum([1.0, 3.0, 1.0])) for place in places])
    np.testing.assert_array_equal(uneven, [200, 600, 200])
    assert sample_at(np.nextafter(1, 0), 3, np.cumsum([0.1, 0.2, 0.3])) == 2
