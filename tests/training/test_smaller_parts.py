"""A run whose memory runs out goes on in smaller parts, as if it had begun the step so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.test_loop import Watcher, make
from torch import Tensor, nn

from sceneparse.losses.loss import LossOutput
from sceneparse.recording.events import Event
from sceneparse.tasks.train import train
from sceneparse.training.loop import fit, train_step
from sceneparse.training.probing import probe_parts
from sceneparse.training.setup import TrainSetup
from sceneparse.training.smaller_parts import meaning_of_parts
from sceneparse.training.state import TrainState

# The allocator of a CPU raises another error; a hook raises that of a GPU in its place.
MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB."


def run_out_with(setup: TrainSetup, max_images: int) -> None:
    """Let the memory run out in the middle of a forward pass of more images than these."""

    def check(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if module.training and len(output) > max_images:
            raise torch.OutOfMemoryError(MESSAGE)

    # Deep inside, so that the statistics of earlier layers have changed already.
    norms = [layer for layer in setup.model.modules() if isinstance(layer, nn.BatchNorm2d)]
    norms[len(norms) // 2].register_forward_hook(check)


def run_out_in_backward(setup: TrainSetup, max_images: int) -> None:
    """Let the memory run out in the middle of a backward pass of more images than these."""

    def check(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if module.training and len(output) > max_images:
            output.register_hook(fail)

    def fail(_: Tensor) -> None:
        raise torch.OutOfMemoryError(MESSAGE)

    norms = [layer for layer in setup.model.modules() if isinstance(layer, nn.BatchNorm2d)]
    norms[len(norms) // 2].register_forward_hook(check)


def same(first: TrainState, second: TrainState) -> None:
    """Check that two states are equal to the last bit."""
    for name, value in first.segmenter.state_dict().items():
        assert torch.equal(value, second.segmenter.state_dict()[name]), name
    assert torch.equal(first.sums.confusion, second.sums.confusion)
    assert torch.equal(first.sums.loss, second.sums.loss)


@pytest.mark.parametrize("run_out", [run_out_with, run_out_in_backward])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_step_that_ran_out_of_memory_is_as_if_it_had_begun_in_smaller_parts(
    rectangles_root: Path, run_out: Callable[[TrainSetup, int], None], precision: Any
) -> None:
    disturbed, setup = make(rectangles_root, precision)
    undisturbed, other = make(rectangles_root, precision)
    batches = setup.loader.batches(0, 4)
    for step in range(4):
        batch = next(batches)
        if step == 2:
            run_out(setup, 2)
            undisturbed.parts = 2
        losses = [
            train_step(state, owner, batch)
            for state, owner in ((disturbed, setup), (undisturbed, other))
        ]
        assert torch.equal(*losses)
        disturbed.step += 1
        undisturbed.step += 1
        same(disturbed, undisturbed)
    batches.close()
    assert disturbed.parts == 2


def test_memory_that_does_not_suffice_for_two_images_ends_the_run(rectangles_root: Path) -> None:
    state, setup = make(rectangles_root, "fp32")
    run_out_with(setup, 1)
    batches = setup.loader.batches(0, 1)
    with pytest.raises(torch.OutOfMemoryError):
        train_step(state, setup, next(batches))
    batches.close()


def test_a_resumed_run_keeps_the_smaller_parts(rectangles_root: Path, tmp_path: Path) -> None:
    results: list[TrainState] = []
    for stop_at in (None, 5):
        state, setup = make(rectangles_root, "fp32")
        run_out_with(setup, 2)
        watcher = Watcher(state, stop_at)
        watcher.path = tmp_path / "state.pt"
        if not fit(state, setup, watcher):
            # The resumed run has memory enough, and must go on as it began all the same.
            state, setup = make(rectangles_root, "fp32")
            state.load_state_dict(torch.load(watcher.path))
            watcher = Watcher(state)
            watcher.path = tmp_path / "state.pt"
            assert fit(state, setup, watcher)
        assert state.parts == 2
        results.append(state)
    same(*results)


def test_probing_finds_the_parts_and_leaves_the_state(rectangles_root: Path) -> None:
    overrides = ["training.batch_size=8", "training.ema=0.9"]
    probed, setup = make(rectangles_root, "fp32", overrides)
    untouched, other = make(rectangles_root, "fp32", overrides)
    run_out_with(setup, 2)
    probe_parts(probed, setup, np.zeros((48, 64, 3), np.uint8))
    assert probed.parts == 4
    untouched.parts = 4
    same(probed, untouched)
    batches = setup.loader.batches(0, 2)
    for _ in range(2):
        batch = next(batches)
        losses = [train_step(probed, setup, batch), train_step(untouched, other, batch)]
        assert torch.equal(*losses)
        probed.step += 1
        untouched.step += 1
        same(probed, untouched)
        assert probed.average is not None
        assert untouched.average is not None
        for name, value in probed.kept.state_dict().items():
            assert torch.equal(value, untouched.kept.state_dict()[name])
    batches.close()


def test_probing_that_is_not_finite_is_no_step_of_the_run(rectangles_root: Path) -> None:
    state, setup = make(rectangles_root, "fp32")
    poison = setup.model.register_forward_hook(_times_nan)
    probe_parts(state, setup, np.zeros((48, 64, 3), np.uint8))
    poison.remove()
    assert state.guard.read() is None
    batches = setup.loader.batches(0, 1)
    before = state.segmenter.network.head.weight.clone()
    train_step(state, setup, next(batches))
    batches.close()
    assert not torch.equal(state.segmenter.network.head.weight, before)


def _times_nan(_module: nn.Module, _inputs: Any, output: Any) -> Any:
    is_loss = isinstance(output, LossOutput)
    return output._replace(total=output.total * torch.nan) if is_loss else output


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [("batch", "from 2 images at a time"), ("group", "the same but for rounding")],
)
def test_the_message_says_what_smaller_parts_mean(
    rectangles_root: Path, normalization: str, expected: str
) -> None:
    state, _ = make(rectangles_root, "fp32", [f"model.normalization={normalization}"])
    assert expected in meaning_of_parts(state.segmenter, 4, 8)


def test_a_run_says_that_its_memory_ran_out(rectangles_config: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    attempts = 0

    def run_out(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal attempts
        # The batch norms of any network, but only in training and only at first.
        if isinstance(module, nn.BatchNorm2d) and module.training and output.requires_grad:
            attempts += 1
            if attempts == 30:
                raise torch.OutOfMemoryError(MESSAGE)

    handle = nn.modules.module.register_module_forward_hook(run_out)
    try:
        overrides = ["training.epochs=1", "model.width=2", "training.accumulation=1"]
        run = train(rectangles_config, out=tmp_path, overrides=overrides, callback=events.append)
    finally:
        handle.remove()
    assert run.is_finished
    said = [str(event) for event in events if "the memory ran out" in str(event)]
    assert len(said) == 1
    assert said[0].startswith("step ")
    assert "in 2 parts" in said[0]
