"""Learning rates over the steps."""

import math

import pytest
import torch

from sceneparse.optimization.schedule import Constant, OneCycle, Plateau


def test_plateau_does_as_torch_does() -> None:
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    ours = Plateau(0.5, 2)
    losses = [3.0, 2.0, 2.1, 2.0, 2.2, 2.0, 1.9, 1.99, 1.9, 1.9, 1.9, 1.9, 1.9, 1.0]
    for loss in losses:
        theirs.step(loss)
        ours.validated(loss)
        assert ours.factor(0) == optimizer.param_groups[0]["lr"]
    assert ours.factor(0) < 1


def test_plateau_goes_on_where_it_was() -> None:
    first, second = Plateau(0.5, 1), Plateau(0.5, 1)
    for loss in (1.0, 1.0):
        first.validated(loss)
    second.load_state_dict(first.state_dict())
    for loss in (1.0, 1.0, 1.0):
        first.validated(loss)
        second.validated(loss)
    assert second.factor(0) == first.factor(0) == 0.25


def test_one_cycle_rises_to_one_and_falls_to_its_end() -> None:
    schedule = OneCycle(total_steps=100, warmup=0.2, start=0.1, end=0.01)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == 0.1
    assert factors[20] == 1.0
    assert factors[99] == pytest.approx(0.01)
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_is_finite_however_short(steps: int) -> None:
    schedule = OneCycle(steps, warmup=0.5, start=0.1, end=0.0)
    assert all(math.isfinite(schedule.factor(step)) for step in range(steps))


def test_constant_stays() -> None:
    assert {Constant().factor(step) for step in range(9)} == {1.0}
