"""A step that is not finite changes nothing, and the run does what its config says."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.test_loop import PRECISIONS, Watcher, make
from torch import Tensor, nn
from torch.amp import GradScaler

from sceneparse import factory
from sceneparse.training.loop import MAX_IN_A_ROW, fit, train_step
from sceneparse.training.nonfinite import FiniteGuard, NonFiniteStopError
from sceneparse.training.setup import TrainSetup
from sceneparse.training.state import TrainState

OPTIMIZERS = ("sgd", "adam", "adamw")
Poison = Callable[[TrainState, set[int]], Any]


def poison_features(state: TrainState, steps: set[int]) -> None:
    """Multiply the output of the first convolution by infinity in some steps, from 0."""

    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor | None:
        return output * torch.inf if state.step in steps else None

    first_convolution(state).register_forward_hook(hook)


def poison_gradient(state: TrainState, steps: set[int]) -> None:
    """Replace the gradient of a weight by NaN in some steps; the loss stays finite."""
    first_convolution(state).weight.register_hook(
        lambda gradient: gradient * torch.nan if state.step in steps else None
    )


def first_convolution(state: TrainState) -> nn.Conv2d:
    modules = state.segmenter.modules()
    return next(module for module in modules if isinstance(module, nn.Conv2d))


def flat_state(state: TrainState) -> dict[str, Tensor]:
    """Copy all numbers of a state but the counts of skipped steps."""
    found: dict[str, Tensor] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                walk(f"{path}.{key}", child)
        elif isinstance(value, list):
            walk(path, dict(enumerate(value)))
        elif isinstance(value, Tensor | int | float):
            found[path] = torch.as_tensor(value).clone()

    walk("", {key: value for key, value in state.state_dict().items() if key != "guard"})
    return found


def assert_same(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        # Learning rates are set anew in each step.
        if not name.endswith(".lr"):
            torch.testing.assert_close(
                state[name], tensor, rtol=0, atol=0, equal_nan=True, msg=name
            )


def of(root: Path, *overrides: str, precision: factory.Precision = "fp32") -> Any:
    return make(root, precision, ("training.ema=0.9", "schedule.kind=constant", *overrides))


def run(
    state: TrainState, setup: TrainSetup, tmp_path: Path, stop_at: int | None = None
) -> Watcher:
    watcher = Watcher(state, stop_at)
    watcher.path = tmp_path / "state.pt"
    fit(state, setup, watcher)
    return watcher


@pytest.mark.parametrize("poison", [poison_features, poison_gradient])
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("bad", [0, 2])
def test_a_bad_step_changes_nothing(
    bad: int, precision: factory.Precision, kind: str, poison: Poison, rectangles_root: Path
) -> None:
    optimizer = f"optimizer={{kind: {kind}, lr: 0.01}}"
    state, setup = of(rectangles_root, optimizer, "training.clip_norm=null", precision=precision)
    if precision == "fp16":
        # From here on the scale does not explain an infinite gradient.
        state.scaler.load_state_dict({**state.scaler.state_dict(), "scale": 1.0})
    poison(state, {bad})
    batches = list(setup.loader.batches(0, 4))
    for batch in batches[:bad]:
        train_step(state, setup, batch)
        state.step += 1
    before = flat_state(state)
    train_step(state, setup, batches[bad])
    after = flat_state(state)
    assert state.guard.read() is not None
    if bad == 0:
        # Fused Adam makes its state, of zeros, in the first step.
        assert all(not after.pop(name).any() for name in after.keys() - before.keys())
    assert_same(after, before)
    state.guard.count(bad)
    state.step += 1
    train_step(state, setup, batches[3])
    assert state.guard.read() is None
    assert all(tensor.isfinite().all() for tensor in state.segmenter.state_dict().values())
    weights = ".segmenter.network.head.weight"
    assert not torch.equal(flat_state(state)[weights], before[weights])


@pytest.mark.slow
def test_an_overflow_of_the_fp16_scale_is_no_fault(rectangles_root: Path, tmp_path: Path) -> None:
    state, setup = of(rectangles_root, precision="fp16")
    state.scaler.load_state_dict({**state.scaler.state_dict(), "scale": 2.0**60})
    watcher = run(state, setup, tmp_path)
    assert not watcher.skipped
    assert state.scaler.get_scale() < 2.0**60


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("read_every", [4])
def test_a_run_that_reads_the_flag_late_takes_the_same_steps(
    read_every: int, parts: int, rectangles_root: Path, tmp_path: Path
) -> None:
    states: list[dict[str, Tensor]] = []
    for every in (1, read_every):
        overrides = ("training.on_nonfinite=skip", f"training.accumulation={parts}")
        state, setup = of(rectangles_root, *overrides)
        state.guard.read_every = every
        poison_features(state, {1, 8, 9, 11})
        watcher = run(state, setup, tmp_path)
        assert [step.step for step in watcher.skipped] == [1, 8, 9, 11]
        assert [record.step for record in watcher.records] == [6, 12, 18]
        assert all(record.train_loss < 5 for record in watcher.records)
        states.append(flat_state(state))
    assert_same(states[1], states[0])


@pytest.mark.parametrize(
    ("loss", "norm", "expected"),
    [(1.0, math.inf, False), (math.nan, 5.0, True), (1.0, 5.0, False)],
)
def test_while_the_scale_may_be_the_reason_the_loss_decides(
    loss: float, norm: float, expected: bool
) -> None:
    guard = FiniteGuard(nn.Linear(2, 2), torch.device("cpu"))
    scaler = GradScaler("cpu", init_scale=2.0**16)
    scaler.scale(torch.ones(()))  # It has no scale before its first loss.
    taken = guard.check(7, torch.tensor(loss), torch.tensor(norm), scaler)
    assert bool(taken) != expected
    found = guard.read()
    assert (found is not None) == expected
    if found is not None:
        assert (found.step, found.gradient_norm) == (7, norm)


def test_a_skipped_step_is_skipped_as_well_after_resuming(
    rectangles_root: Path, tmp_path: Path
) -> None:
    overrides = ("training.on_nonfinite=skip",)
    whole, setup = of(rectangles_root, *overrides)
    poison_features(whole, {3, 9})
    run(whole, setup, tmp_path)
    first, setup = of(rectangles_root, *overrides)
    poison_features(first, {3, 9})
    first.guard.read_every = 4
    run(first, setup, tmp_path, stop_at=5)
    second, setup = of(rectangles_root, *overrides)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    poison_features(second, {3, 9})
    run(second, setup, tmp_path)
    assert_same(flat_state(second), flat_state(whole))
    assert second.guard.state_dict() == whole.guard.state_dict()


def test_the_run_stops_and_names_step_images_and_reason(
    rectangles_root: Path, tmp_path: Path
) -> None:
    state, setup = of(rectangles_root)
    poison_features(state, {7})
    with pytest.raises(NonFiniteStopError) as caught:
        run(state, setup, tmp_path)
    text = str(caught.value)
    assert text.startswith("step 8 (epoch 2): the training loss is nan")
    batch = next(setup.loader.batches(7, 8))
    assert ", ".join(batch.names) in text
    assert "optimizer.lr" in text


def test_too_many_skipped_steps_in_a_row_stop_the_run(
    rectangles_root: Path, tmp_path: Path
) -> None:
    state, setup = of(rectangles_root, "training.on_nonfinite=skip")
    poison_features(state, set(range(2, 18)))
    with pytest.raises(NonFiniteStopError, match=f"{MAX_IN_A_ROW + 1} steps in a row"):
        run(state, setup, tmp_path)


def test_an_unfused_optimizer_skips_the_step_too(rectangles_root: Path) -> None:
    state, setup = of(rectangles_root)
    weights = state.segmenter.parameters()
    state.optimizer = torch.optim.RMSprop([{"params": list(weights), "base_lr": 0.1}], lr=0.1)
    poison_gradient(state, {0})
    before = copy.deepcopy(state.segmenter.state_dict())
    train_step(state, setup, next(setup.loader.batches(0, 1)))
    for name, tensor in state.segmenter.state_dict().items():
        assert torch.equal(tensor, before[name]), name
