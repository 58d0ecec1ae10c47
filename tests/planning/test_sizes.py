"""The planned image size follows the time, the memory and the images."""

import copy
from itertools import pairwise

import pytest

from sceneparse.errors import InputError
from sceneparse.planning.estimate import (
    ImageCost,
    ImageCosts,
    RunCosts,
    mean_image_cost,
    run_time,
)
from sceneparse.planning.length import (
    Choice,
    TooShortError,
    choose_size,
    possible_sizes,
    wanted_epochs,
)
from tests.planning.facts import BATCH, COSTS, data, images


def chosen(
    seconds: float,
    memory_bytes: float = 1e12,
    costs: RunCosts = COSTS,
    line: ImageCosts | None = None,
) -> Choice:
    return choose_size(data(), line or images(), costs, BATCH, seconds, memory_bytes)


@pytest.mark.parametrize("short_side", [20, 48, 64, 65, 100, 256, 500, 512, 3000])
def test_possible_sizes_are_multiples_of_32_up_to_the_image_size(short_side: int) -> None:
    sizes = possible_sizes(short_side)
    assert all(size % 32 == 0 for size in sizes)
    assert 64 <= sizes[0] <= 96
    assert sizes[-1] <= min(512, max(64, short_side + 31))
    assert sizes[-1] >= min(512, short_side)


def test_more_time_gives_larger_images_and_then_more_epochs() -> None:
    hours = [0.1, 0.3, 1, 3, 10, 30, 100]
    choices = [chosen(3600 * hour) for hour in hours]
    sizes = [choice.size for choice in choices]
    assert sizes == sorted(sizes)
    assert sizes[0] == 96
    assert sizes[-1] == 480
    wanted = wanted_epochs(data().training)
    assert all(choice.length.epochs >= wanted for choice in choices if choice.size > 96)
    for before, after in pairwise(choices):
        if before.size == after.size:
            assert after.length.epochs > before.length.epochs


def test_a_machine_twice_as_fast_gets_the_plan_of_twice_the_time() -> None:
    free = COSTS._replace(begin_s=0, epoch_s=0, end_s=0, drawing_s=0, frame_s=0)
    assert chosen(3600, costs=free, line=images(0.5)) == chosen(7200, costs=free)


def test_many_images_need_fewer_epochs() -> None:
    counts = (5, 2000, 4000, 20_000, 100_000)
    assert [wanted_epochs(count) for count in counts] == [20, 20, 10, 4, 4]


def test_progressive_resizing_is_used_only_if_it_saves_time() -> None:
    size, length = chosen(36_000)
    assert length.start_size is not None
    assert length.start_size % 32 == 0
    saved = mean_image_cost(size, length.start_size, length.epochs, images())
    assert 0.5 < saved < 0.9
    assert chosen(300).length.start_size is None


def test_the_mean_cost_of_progressive_resizing_follows_the_sizes() -> None:
    # 10 epochs grow over 5: at 128, 128 + 32 · 1, 192, 192 + 32, 256, and then stay.
    sides = [128, 160, 192, 224, 256, 256, 256, 256, 256, 256]
    line = images()
    expected = sum(line.at(side).train_s for side in sides) / (10 * line.at(256).train_s)
    assert mean_image_cost(256, 128, 10, line) == pytest.approx(expected)
    assert mean_image_cost(256, None, 10, line) == 1


def test_the_estimated_costs_match_the_measured_sizes() -> None:
    line = images()
    assert line.at(96) == pytest.approx(line.at_small)
    assert line.at(224) == pytest.approx(line.at_large)
    assert line.at(320).train_s == pytest.approx(0.005 + 1.5e-6 * 320**2)
    one = ImageCosts(64, ImageCost(0.1, 0.05, 10), 64, ImageCost(0.1, 0.05, 10))
    assert one.at(128) == pytest.approx((0.4, 0.2, 40))


def test_little_memory_gives_smaller_images_and_too_little_memory_is_refused() -> None:
    whole = chosen(360_000).size
    assert chosen(360_000, 2 * 1000 * 256**2).size == 256 < whole
    with pytest.raises(InputError, match="allow more memory"):
        chosen(360_000, 1e6)


def test_too_little_time_is_refused_with_a_sufficient_time() -> None:
    with pytest.raises(TooShortError, match="too short") as error:
        chosen(20)
    seconds = 3600 * error.value.hours
    # As an error that is pickled between processes.
    again = copy.copy(error.value)
    assert (str(again), again.hours) == (str(error.value), error.value.hours)
    size, length = chosen(seconds)
    costs = COSTS.with_images(images().at(size), BATCH, 800, 200)
    assert length.epochs == 1
    assert run_time(length, size, costs, images()).total <= 1.08 * seconds
