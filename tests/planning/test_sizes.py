"""The size of images follows time, memory, and the images themselves."""

import re
from itertools import pairwise

import pytest

from sceneparse.errors import InputError
from sceneparse.planning.facts import Measured, Speed
from sceneparse.planning.sizes import (
    chosen_sizes,
    mean_cost,
    possible_sizes,
    wanted_epochs,
)
from tests.planning.facts import COSTS, data, speed


@pytest.mark.parametrize("short_side", [20, 48, 64, 65, 100, 256, 500, 512, 3000])
def test_possible_sizes_are_multiples_of_32_up_to_what_images_hold(short_side: int) -> None:
    sizes = possible_sizes(short_side)
    assert all(size % 32 == 0 for size in sizes)
    assert 64 <= sizes[0] <= 96
    assert sizes[-1] <= min(512, max(64, short_side + 31))
    assert sizes[-1] >= min(512, short_side)


def test_more_time_gives_larger_images_and_then_more_passes() -> None:
    hours = [0.1, 0.3, 1, 3, 10, 30, 100]
    chosen = [chosen_sizes(data(), speed(), COSTS, 3600 * hour, 1e12) for hour in hours]
    sizes = [choice.size for choice in chosen]
    assert sizes == sorted(sizes)
    assert sizes[0] == 96
    assert sizes[-1] == 480
    assert all(choice.epochs >= choice.wanted for choice in chosen if choice.size > 96)
    for before, after in pairwise(chosen):
        if before.size == after.size:
            assert after.epochs > before.epochs


def test_a_machine_twice_as_fast_is_given_what_twice_the_time_would_be() -> None:
    free = COSTS._replace(begin_s=0, epoch_s=0, end_s=0)
    slow = chosen_sizes(data(), speed(), free, 7200, 1e12)
    assert chosen_sizes(data(), speed(0.5), free, 3600, 1e12) == slow


def test_many_images_are_content_with_fewer_passes() -> None:
    assert [wanted_epochs(count) for count in (5, 2000, 4000, 20_000, 100_000)] == [
        20,
        20,
        10,
        4,
        4,
    ]


def test_images_grow_only_where_it_pays() -> None:
    plenty = chosen_sizes(data(), speed(), COSTS, 36000, 1e12)
    assert plenty.first_size is not None
    assert plenty.first_size % 32 == 0
    saved = mean_cost(plenty.size, plenty.first_size, plenty.epochs, speed())
    assert 0.5 < saved < 0.9
    assert chosen_sizes(data(), speed(), COSTS, 300, 1e12).first_size is None


def test_the_mean_cost_of_growing_images_is_that_of_their_sizes() -> None:
    # 10 epochs grow over 5: at 128, 128 + 32 · 1, 192, 192 + 32, 256, and then stay.
    sides = [128, 160, 192, 224, 256, 256, 256, 256, 256, 256]
    line = speed()
    expected = sum(line.at(side).image_s for side in sides) / (10 * line.at(256).image_s)
    assert mean_cost(256, 128, 10, line) == pytest.approx(expected)
    assert mean_cost(256, None, 10, line) == 1


def test_a_line_goes_through_what_was_measured() -> None:
    line = speed()
    assert line.at(96) == pytest.approx(line.at_small)
    assert line.at(224) == pytest.approx(line.at_large)
    assert line.at(320).image_s == pytest.approx(0.005 + 1.5e-6 * 320**2)
    one = Speed(64, Measured(0.1, 0.05, 10), 64, Measured(0.1, 0.05, 10))
    assert one.at(128) == pytest.approx((0.4, 0.2, 40))


def test_little_memory_gives_smaller_images_and_none_is_told() -> None:
    whole = chosen_sizes(data(), speed(), COSTS, 360_000, 1e12).size
    less = chosen_sizes(data(), speed(), COSTS, 360_000, 2 * 1000 * 256**2).size
    assert less == 256 < whole
    with pytest.raises(InputError, match="allow more memory"):
        chosen_sizes(data(), speed(), COSTS, 360_000, 1e6)


def test_too_little_time_is_told_with_what_would_be_enough() -> None:
    with pytest.raises(InputError, match="too short") as told:
        chosen_sizes(data(), speed(), COSTS, 20, 1e12)
    found = re.search(r"at least ([\d.]+) hours", str(told.value))
    assert found
    least = 3600 * float(found[1])
    assert chosen_sizes(data(), speed(), COSTS, least, 1e12).epochs == 1
