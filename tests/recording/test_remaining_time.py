"""The estimate of the remaining time uses whole epochs, not the last steps."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from sceneparse.cli import progress
from sceneparse.config.reading import read_config
from sceneparse.recording.events import time_left
from sceneparse.recording.remaining_time import MIN_STEPS, RemainingTime, Timetable
from sceneparse.tasks.train import train

STEP_S, VALIDATION_S, DRAWING_S = 2.0, 50.0, 30.0


def estimates(timetable: Timetable, first_step: int, last_step: int) -> dict[int, float | None]:
    """Simulate a run whose parts take constant times, and estimate after each step."""
    now = 1000.0
    epoch = (first_step - 1) // timetable.steps_per_epoch
    remaining = RemainingTime(timetable, epoch)
    found: dict[int, float | None] = {}
    for step in range(first_step, last_step + 1):
        # The first step of a process is slow, for example because it compiles the network.
        now += STEP_S if step > first_step else 500.0
        remaining.step_ended(step, now)
        if step % timetable.steps_per_epoch == 0:
            epoch = step // timetable.steps_per_epoch
            validation_s = VALIDATION_S if is_validated(timetable, epoch) else None
            drawing_s = DRAWING_S if epoch % timetable.draw_every == 0 else None
            now += (validation_s or 0) + (drawing_s or 0)
            remaining.epoch_ended(epoch, validation_s, drawing_s)
        found[step] = remaining.seconds(step, now)
    return found


def is_validated(timetable: Timetable, epoch: int) -> bool:
    return epoch % timetable.validate_every == 0 or epoch == timetable.epochs


def true_remaining(timetable: Timetable, step: int) -> float:
    done, epochs = step // timetable.steps_per_epoch, range(1, timetable.epochs + 1)
    validations = sum(is_validated(timetable, epoch) for epoch in epochs if epoch > done)
    drawings = sum(epoch % timetable.draw_every == 0 for epoch in epochs if epoch > done) + 1
    steps = timetable.epochs * timetable.steps_per_epoch - step
    return steps * STEP_S + validations * VALIDATION_S + drawings * DRAWING_S


@pytest.mark.parametrize(("validate_every", "draw_every"), [(1, 1), (1, 5), (3, 2), (4, 7)])
@pytest.mark.parametrize("first_step", [1, 46, 54])
def test_the_estimate_is_exact_after_each_part_was_measured_once(
    validate_every: int, draw_every: int, first_step: int
) -> None:
    timetable = Timetable(20, 10, validate_every, draw_every)
    found = estimates(timetable, first_step, 200)
    for step in range(first_step, first_step + MIN_STEPS):
        assert found[step] is None
    done = (first_step - 1) // 10
    seen = 10 * max((done // every + 1) * every for every in (validate_every, draw_every))
    for step in range(max(seen, first_step + MIN_STEPS), 201):
        assert found[step] == pytest.approx(true_remaining(timetable, step), rel=1e-9), step


def test_before_the_first_epoch_ends_the_estimate_uses_the_steps() -> None:
    found = estimates(Timetable(10, 100, 1, 1), 1, 99)
    assert found[50] == pytest.approx(950 * STEP_S, rel=1e-9)


def test_a_validation_counts_as_remaining_until_it_ends() -> None:
    remaining = RemainingTime(Timetable(2, 10, 1, 5))
    for step in range(1, 11):
        remaining.step_ended(step, float(step))
    remaining.epoch_ended(1, 7.0)
    for step in range(11, 21):
        remaining.step_ended(step, step + 7.0)
    assert remaining.seconds(20, 27.0) == pytest.approx(7.0)
    remaining.epoch_ended(2, 7.0)
    assert remaining.seconds(20, 34.0) == 0.0


def test_the_unit_of_the_remaining_time_follows_its_size() -> None:
    expected = {
        None: "",
        0.0: "less than a minute left",
        59.9: "less than a minute left",
        60.0: "1 min left",
        600.0: "10 min left",
        7200.0: "120 min left",
        9000.0: "2.5 h left",
    }
    assert {seconds: time_left(seconds) for seconds in expected} == expected


@pytest.mark.parametrize("terminal", [False, True])
def test_log_and_progress_bar_show_the_remaining_time(
    terminal: bool, rectangles_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150)
    few = ["training.epochs=1", "training.batch_size=2", "report.images=1"]
    config = read_config(rectangles_config, few)
    monkeypatch.setattr(progress, "console", console)
    with progress.shown_events() as callback:
        train(config, out=tmp_path / "run", callback=callback)
    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert re.search(r"\d min left|less than a minute left", output)
    if not terminal:
        first, tenth = re.findall(r"^step (?:1|10)/12 .*$", output, re.MULTILINE)
        assert ("left" in first, "left" in tenth) == (False, True)
