"""Learning rate schedules."""

import math

import pytest
import torch

from sceneparse.config.reading import parse_config
from sceneparse.optimization.schedule import Schedule
from sceneparse.optimization.settings import Constant, Cosine, OneCycle, Plateau, Poly


def test_plateau_equals_reduce_lr_on_plateau() -> None:
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    ours = Schedule(Plateau(patience=2), 9)
    losses = [3.0, 2.0, 2.1, 2.0, 2.2, 2.0, 1.9, 1.99, 1.9, 1.9, 1.9, 1.9, 1.9, 1.0]
    for loss in losses:
        theirs.step(loss)
        ours.add_validation(loss)
        assert ours.factor(0) == optimizer.param_groups[0]["lr"]
    assert ours.factor(0) < 1


def test_plateau_continues_from_its_state_dict() -> None:
    first, second = (Schedule(Plateau(patience=1), 9) for _ in range(2))
    for loss in (1.0, 1.0):
        first.add_validation(loss)
    second.load_state_dict(first.state_dict())
    for loss in (1.0, 1.0, 1.0):
        first.add_validation(loss)
        second.add_validation(loss)
    assert second.factor(0) == first.factor(0) == 0.25


def test_one_cycle_rises_to_one_and_falls_to_its_end() -> None:
    schedule = Schedule(OneCycle(warmup=0.2), 100)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == 0.04
    assert factors[20] == 1.0
    assert factors[99] == pytest.approx(0.001)
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_is_finite_in_the_shortest_runs(steps: int) -> None:
    schedule = Schedule(OneCycle(warmup=0.5), steps)
    assert all(math.isfinite(schedule.factor(step)) for step in range(steps))


def test_constant_is_constant() -> None:
    assert {Schedule(Constant(), 9).factor(step) for step in range(9)} == {1.0}


def test_poly_and_cosine_equal_the_schedules_of_torch() -> None:
    parameter = torch.zeros(1, requires_grad=True)
    for ours, theirs in (
        (
            Schedule(Poly(), 20),
            lambda sgd: torch.optim.lr_scheduler.PolynomialLR(sgd, 20, power=0.9),
        ),
        (
            Schedule(Cosine(end=0.1), 20),
            lambda sgd: torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 20, eta_min=0.1),
        ),
    ):
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        scheduler = theirs(optimizer)
        for step in range(21):
            assert ours.factor(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("kind", ["constant", "plateau", "poly", "cosine"])
def test_the_schedule_starts_after_a_linear_warm_up(kind: str) -> None:
    text = f"schedule: {{kind: {kind}, warmup: %s}}"
    plain, warmed_up = (
        Schedule(parse_config(text % warmup, "test").schedule, total)
        for warmup, total in ((0, 72), (0.1, 80))
    )
    assert [warmed_up.factor(step) for step in range(8)] == pytest.approx(
        [n / 9 for n in range(1, 9)]
    )
    for step in range(72):
        assert warmed_up.factor(8 + step) == plain.factor(step)
    assert plain.factor(0) == 1


def test_plateau_keeps_its_state_during_warm_up() -> None:
    first, second = (Schedule(Plateau(patience=0, warmup=0.2), 10) for _ in range(2))
    for loss in (1.0, 1.0):
        first.add_validation(loss)
    second.load_state_dict(first.state_dict())
    assert first.factor(5) == second.factor(5) == 0.5


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("kind", ["poly", "cosine"])
def test_factors_are_positive_in_the_shortest_runs(kind: str, steps: int) -> None:
    config = parse_config(f"schedule: {{kind: {kind}, warmup: 0.5}}", "test").schedule
    schedule = Schedule(config, steps)
    assert all(0 < schedule.factor(step) <= 1 for step in range(steps))
