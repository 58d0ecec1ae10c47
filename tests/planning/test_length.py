"""The length of a run fills the time asked for, at whatever pace was measured."""

import math

import pytest

from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.errors import InputError
from sceneparse.planning.length import Length, chosen_length, seconds_of
from sceneparse.planning.sizes import GROWTH, Sizes
from tests.planning.facts import COSTS, PARTS, speed

SIZES = Sizes(224, 96, 30, 20)
PLAIN = Sizes(224, None, 30, 20)


@pytest.mark.parametrize("seconds", [250, 400, 700, 1500, 3600, 36_000, 1e6])
@pytest.mark.parametrize("sizes", [SIZES, PLAIN])
def test_a_run_takes_the_time_asked_for(sizes: Sizes, seconds: float) -> None:
    length = chosen_length(sizes, PARTS, speed(), seconds)
    assert seconds_of(length, 224, PARTS, speed()).total == pytest.approx(seconds, rel=0.1)


def test_the_epochs_follow_the_pace() -> None:
    free = PARTS._replace(costs=COSTS._replace(begin_s=0, epoch_s=0, end_s=0, drawing_s=0))
    slow = free._replace(step_s=2 * free.step_s, validation_s=2 * free.validation_s)
    epochs = [chosen_length(PLAIN, parts, speed(), 36_000).epochs for parts in (free, slow)]
    assert epochs[0] / 2 == pytest.approx(epochs[1], abs=1)


def test_what_a_run_takes_is_the_sum_of_all_that_it_does() -> None:
    length = Length(epochs=9, first_size=96, validate_every=4, report_every=3)
    growth = SizeSchedule(96, 224, round(GROWTH * 9))
    line, total = speed(), COSTS.begin_s + COSTS.end_s
    frames = 1
    for epoch in range(1, 10):
        share = line.at(growth.size_at(epoch - 1)).image_s / line.at(224).image_s
        total += PARTS.steps_per_epoch * PARTS.step_s * share + COSTS.epoch_s
        if epoch % 4 == 0 or epoch == 9:
            total += PARTS.validation_s
        if epoch % 3 == 0:
            frames += 1
            total += COSTS.drawing_s + frames * COSTS.frame_s
    assert seconds_of(length, 224, PARTS, line).total == pytest.approx(total)


@pytest.mark.parametrize("seconds", [500, 3600, 36_000])
def test_validations_and_drawings_take_a_small_part(seconds: float) -> None:
    length = chosen_length(SIZES, PARTS, speed(), seconds)
    taken = seconds_of(length, 224, PARTS, speed())
    assert taken.validation <= 0.1 * seconds or length.validations == 1
    assert taken.drawing <= 0.05 * seconds
    assert length.drawings <= 8
    assert length.validations == math.ceil(length.epochs / length.validate_every)


def test_no_drawing_is_between_the_first_and_the_last_where_time_is_short() -> None:
    dear = PARTS._replace(costs=COSTS._replace(drawing_s=1000))
    length = chosen_length(SIZES, dear, speed(), 3600)
    assert length.drawings == 0
    assert length.report_every > length.epochs


def test_a_single_epoch_that_takes_too_long_is_refused() -> None:
    with pytest.raises(InputError, match=r"give at least 0\.0\d+ hours"):
        chosen_length(PLAIN, PARTS, speed(), 40)
