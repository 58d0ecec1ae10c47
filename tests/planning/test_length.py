"""The length of a run fills the requested time at any measured speed."""

import math

import pytest

from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.errors import InputError
from sceneparse.planning.estimate import RESIZING_SHARE, Length, run_time
from sceneparse.planning.length import Choice, choose_length
from tests.planning.facts import COSTS, images

RESIZED = Choice(224, Length(30, 96, 1, 5))
PLAIN = Choice(224, Length(30, None, 1, 5))


@pytest.mark.parametrize("seconds", [250, 400, 700, 1500, 3600, 36_000, 1e6])
@pytest.mark.parametrize("choice", [RESIZED, PLAIN])
def test_a_run_takes_the_time_asked_for(choice: Choice, seconds: float) -> None:
    length, time = choose_length(choice, COSTS, images(), seconds)
    assert time == run_time(length, 224, COSTS, images())
    assert time.total == pytest.approx(seconds, rel=0.1)


def test_the_epochs_follow_the_speed() -> None:
    free = COSTS._replace(begin_s=0, epoch_s=0, end_s=0, drawing_s=0)
    slow = free._replace(step_s=2 * free.step_s, validation_s=2 * free.validation_s)
    fast, slower = (choose_length(PLAIN, costs, images(), 36_000)[0] for costs in (free, slow))
    assert fast.epochs / 2 == pytest.approx(slower.epochs, abs=1)


def test_the_time_of_a_run_is_the_sum_of_its_parts() -> None:
    length = Length(epochs=9, start_size=96, validate_every=4, draw_every=3)
    resizing = SizeSchedule(96, 224, round(RESIZING_SHARE * 9))
    line, total = images(), COSTS.begin_s + COSTS.end_s
    frames = 1
    for epoch in range(1, 10):
        share = line.at(resizing.size_at(epoch - 1)).train_s / line.at(224).train_s
        total += COSTS.steps_per_epoch * COSTS.step_s * share + COSTS.epoch_s
        if epoch % 4 == 0 or epoch == 9:
            total += COSTS.validation_s
        if epoch % 3 == 0:
            frames += 1
            total += COSTS.drawing_s + frames * COSTS.frame_s
    assert run_time(length, 224, COSTS, line).total == pytest.approx(total)


@pytest.mark.parametrize("seconds", [500, 3600, 36_000])
def test_validations_and_drawings_take_a_small_part(seconds: float) -> None:
    length, time = choose_length(RESIZED, COSTS, images(), seconds)
    assert time.validation <= 0.1 * seconds or length.validations == 1
    assert time.drawing <= 0.05 * seconds
    assert length.drawings <= 8
    assert length.validations == math.ceil(length.epochs / length.validate_every)


def test_slow_drawings_happen_only_at_the_start_and_the_end() -> None:
    length, _ = choose_length(RESIZED, COSTS._replace(drawing_s=1000), images(), 3600)
    assert length.drawings == 0
    assert length.draw_every > length.epochs


def test_a_single_epoch_that_takes_too_long_is_refused() -> None:
    with pytest.raises(InputError, match=r"give at least 0\.0\d+ hours"):
        choose_length(PLAIN, COSTS, images(), 40)
