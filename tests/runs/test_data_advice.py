"""Each advice appears where the figures call for it, and nowhere else."""

from collections.abc import Mapping

import pytest

from sceneparse.runs.data_advice import advice
from sceneparse.runs.data_figures import DataFigures, RunFacts, Stage, StageFigures

DECODE = "`sceneparse data cache pets` does it once"
SMALLER = "`sceneparse data cache pets --to FOLDER --short-side 448` stores them smaller"
DISK = "copy them to a faster or nearer disk"
COLORS = "each of transform.brightness, contrast, saturation and hue that is 0 is spared"
THREADS = "training.threads="
DRAW = "draws them once; then train with data.kind=ade20k"
NOTHING = "No setting would change much"
ALL = (DECODE, SMALLER, DISK, COLORS, THREADS, DRAW, NOTHING)

EVEN = {Stage.READ: 1, Stage.IMAGE: 2, Stage.MASK: 0.5, Stage.RESAMPLE: 5, Stage.COLORS: 1.5}


def figures(
    milliseconds: Mapping[Stage, float],
    *,
    loader: Mapping[int, float] | None = None,
    step: float = 500.0,
    training: float = 100.0,
    waiting: float = 0.8,
    size: tuple[int, int] = (512, 683),
    whole_resample: float = 5.0,
    from_files: bool = True,
    remedy: str = "sceneparse data cache pets",
) -> DataFigures:
    return DataFigures(
        run=RunFacts(
            from_files=from_files,
            device="cuda",
            precision="bf16",
            batch_size=16,
            threads=2,
            needed_side=448,
            remedy=remedy,
        ),
        stages=StageFigures(
            seconds={stage: value / 1000 for stage, value in milliseconds.items()},
            pictures=100,
            source_size=size,
            whole_resample=whole_resample / 1000,
        ),
        loader=loader or {1: 100.0, 2: 100.0},
        step=step,
        training=training,
        waiting=waiting,
    )


def given(lines: list[str]) -> set[str]:
    """Return which of the remedies are named."""
    return {text for text in ALL if any(text in line for line in lines[1:])}


def test_who_does_not_wait_has_nothing_to_gain() -> None:
    decoding = {Stage.IMAGE: 9.0, Stage.RESAMPLE: 1.0}
    assert advice(figures(decoding, waiting=0.03, training=480.0)) == [
        "Training waits for data 3% of the time: nothing to gain. "
        "The loader can give 100 pictures/s; training takes 480 pictures/s."
    ]


def test_who_waits_is_told_what_the_step_alone_would_do() -> None:
    line = advice(figures(EVEN, step=7.5, training=3.0))[0]
    assert line == (
        "Training waits for data 80% of the time: it comes to 3.0 pictures/s "
        "instead of the 7.5 pictures/s of the step alone."
    )


@pytest.mark.parametrize(
    ("training", "step", "is_slowed"),
    [(400.0, 500.0, True), (460.0, 500.0, False), (4.0, 8.0, False)],
)
def test_a_loader_slows_steps_only_where_its_work_is_not_little(
    training: float, step: float, is_slowed: bool
) -> None:
    lines = advice(figures(EVEN, waiting=0.0, training=training, step=step))
    assert ("slower while the loader works beside them" in lines[0]) == is_slowed
    assert ("nothing to gain" in lines[0]) == (not is_slowed)


@pytest.mark.parametrize(
    ("loader", "threads"),
    [
        ({1: 50.0, 2: 100.0, 4: 190.0, 8: 200.0}, 4),
        ({1: 50.0, 2: 100.0, 4: 190.0, 8: 300.0}, 8),
        ({1: 50.0, 2: 100.0, 4: 700.0, 8: 900.0}, 4),
        ({1: 50.0, 2: 100.0, 4: 110.0}, None),
        ({1: 300.0, 2: 100.0}, None),
    ],
)
def test_threads_are_advised_where_they_bring_more(
    loader: Mapping[int, float], threads: int | None
) -> None:
    lines = advice(figures(EVEN, loader=loader))
    if threads is None:
        assert given(lines) == {NOTHING}
    else:
        assert given(lines) == {THREADS}
        assert lines[1] == (
            f"training.threads={threads}: the loader gives {loader[threads]:.0f} pictures/s "
            "instead of 100 pictures/s with 2."
        )


def test_threads_are_not_advised_where_steps_are_slowed_without_waiting() -> None:
    made = figures(EVEN, loader={2: 100.0, 4: 200.0}, waiting=0.0, training=300.0)
    assert given(advice(made)) == {NOTHING}


DECODING = {Stage.READ: 0.2, Stage.IMAGE: 5.0, Stage.MASK: 1.8, Stage.RESAMPLE: 3.0}


def test_decoding_once_is_advised_with_what_it_gains() -> None:
    lines = advice(figures(DECODING, whole_resample=3.8))
    assert lines[1:] == [
        "Decoding takes 68% of the loader's work: `sceneparse data cache pets` does it once, "
        "which makes the loader about 2.5 times faster."
    ]


def test_decoding_once_is_not_advised_where_whole_pictures_cost_as_much() -> None:
    assert given(advice(figures(DECODING, whole_resample=9.0))) == {NOTHING}


def test_what_is_decoded_already_is_not_to_be_decoded_once() -> None:
    assert given(advice(figures({Stage.FETCH: 9.0}, from_files=False))) == {NOTHING}


def test_far_larger_pictures_are_to_be_stored_smaller() -> None:
    lines = advice(figures(DECODING, size=(3000, 4000)))
    assert given(lines) == {SMALLER}
    assert "pictures of 4000×3000 pixels are far larger than the 448" in lines[1]


@pytest.mark.parametrize(
    ("milliseconds", "remedy"),
    [
        ({Stage.READ: 4.0, Stage.IMAGE: 1.0, Stage.RESAMPLE: 4.0}, DISK),
        ({Stage.READ: 2.0, Stage.COLORS: 4.0, Stage.RESAMPLE: 4.0}, COLORS),
        (EVEN, NOTHING),
    ],
)
def test_the_stage_that_stands_out_is_named(
    milliseconds: Mapping[Stage, float], remedy: str
) -> None:
    assert given(advice(figures(milliseconds))) == {remedy}


def test_scenes_are_to_be_drawn_once() -> None:
    remedy = "sceneparse data synth FOLDER --images 9"
    lines = advice(figures({Stage.DRAW: 20.0, Stage.COLORS: 1.0}, from_files=False, remedy=remedy))
    assert given(lines) == {DRAW}
    assert "Drawing scenes takes 95% of the loader's work: `" + remedy in lines[1]
