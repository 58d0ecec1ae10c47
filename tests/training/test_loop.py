"""The training loop resumes exactly and averages the loss over valid pixels."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse import factory
from sceneparse.artifacts.kept_step import NonFiniteStep
from sceneparse.augmentation.transform import Transform
from sceneparse.config.reading import parse_config
from sceneparse.inference.evaluation import evaluate_dataset
from sceneparse.training.auto import resolve
from sceneparse.training.loop import EpochRecord, Request, fit, train_step
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState

PRECISIONS: tuple[factory.Precision, ...] = ("fp32", "bf16", "fp16")


class Watcher:
    """Records a run, requests a stop at a step and saves checkpoints."""

    def __init__(self, state: TrainState, stop_at: int | None = None) -> None:
        self.state = state
        self.stop_at = stop_at
        self.losses: list[float] = []
        self.records: list[EpochRecord] = []
        self.saved: dict[str, Any] = {}
        self.skipped: list[NonFiniteStep] = []

    def step_ended(self, step: int, loss: Tensor) -> None:
        self.losses.append(float(loss))

    def epoch_ended(self, record: EpochRecord) -> None:
        self.records.append(record)

    def step_skipped(self, step: NonFiniteStep) -> str:
        self.skipped.append(step)
        return ""

    def save(self) -> None:
        torch.save(self.state.state_dict(), self.path)

    def request(self) -> Request:
        return Request.STOP if self.state.step == self.stop_at else Request.NOTHING

    path: Path


def make(
    root: Path, precision: factory.Precision, overrides: Sequence[str] = ()
) -> tuple[TrainState, TrainSetup]:
    text = f"""
data: {{kind: folder, root: {root}}}
model: {{width: 4}}
transform: {{size: 32, crop: 0.5, flip: 0.5, brightness: 0.2}}
optimizer: {{kind: adam, lr: 0.01}}
schedule: {{kind: plateau}}
training:
  {{epochs: 3, batch_size: 4, accumulation: 1, clip_norm: 1, threads: 2, precision: {precision},
    memory_format: channels_last, device: cpu, compile: off}}
inference: {{size: 32}}
"""
    config = parse_config(text, "test", overrides)
    training = factory.dataset(config.data, "training")
    validation = factory.dataset(config.data, "validation")
    torch.manual_seed(0)
    segmenter = config.model.build(training.labels.num_classes)
    settings = resolve(config, segmenter, training)
    return set_up_training(
        config,
        settings,
        segmenter,
        training,
        lambda predictor: evaluate_dataset(predictor, validation, 1),
    )


@pytest.fixture(
    scope="module", params=["fp32", "bf16", pytest.param("fp16", marks=pytest.mark.slow)]
)
def whole(
    request: pytest.FixtureRequest, rectangles_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[factory.Precision, Watcher]:
    """A precision, and an uninterrupted run in this precision."""
    state, setup = make(rectangles_root, request.param)
    watcher = Watcher(state)
    watcher.path = tmp_path_factory.mktemp("whole") / "whole.pt"
    assert fit(state, setup, watcher)
    return request.param, watcher


@pytest.mark.parametrize("stop_at", [1, 8, 12])
def test_a_run_stopped_at_any_step_resumes_exactly(
    stop_at: int, whole: tuple[factory.Precision, Watcher], rectangles_root: Path, tmp_path: Path
) -> None:
    precision, unstopped = whole
    first_state, setup = make(rectangles_root, precision)
    first = Watcher(first_state, stop_at)
    first.path = tmp_path / "part.pt"
    assert not fit(first_state, setup, first)
    second_state, setup = make(rectangles_root, precision)
    second_state.load_state_dict(torch.load(first.path, weights_only=True))
    assert second_state.step == stop_at
    second = Watcher(second_state)
    second.path = first.path
    assert fit(second_state, setup, second)
    assert first.losses + second.losses == unstopped.losses
    assert len(unstopped.losses) == 18
    for mine, theirs in zip(first.records + second.records, unstopped.records, strict=True):
        assert mine.train_loss == theirs.train_loss
        assert mine.train.miou == theirs.train.miou
        assert mine.validation is not None
        assert theirs.validation is not None
        assert mine.validation.loss == theirs.validation.loss
    assert second_state.schedule.state_dict() == unstopped.state.schedule.state_dict()
    for name, tensor in unstopped.state.segmenter.state_dict().items():
        assert torch.equal(tensor, second_state.segmenter.state_dict()[name]), name


def test_the_checkpoint_keeps_the_loss_scale_of_fp16(rectangles_root: Path, tmp_path: Path) -> None:
    state, setup = make(rectangles_root, "fp16")
    watcher = Watcher(state, 3)
    watcher.path = tmp_path / "a.pt"
    fit(state, setup, watcher)
    assert torch.load(watcher.path, weights_only=True)["precision"]["scale"] > 1


def test_a_checkpoint_of_other_data_is_refused(rectangles_root: Path) -> None:
    state, _ = make(rectangles_root, "fp32")
    stored = {**state.state_dict(), "data_key": "others"}
    with pytest.raises(Exception, match="not those that the run was started with"):
        state.load_state_dict(stored)


def test_a_step_uses_the_mean_over_valid_pixels(rectangles_root: Path) -> None:
    overrides = ("schedule.kind=constant", "training.clip_norm=null")
    state, setup = make(rectangles_root, "fp32", overrides)
    batch = next(setup.loader.batches(0, 1))
    mask = batch.mask.copy()
    mask[:2] = setup.loss.ignore_index
    mask[2, :10] = setup.loss.ignore_index
    # With plain SGD, the change of the weights equals the gradient.
    sgd = torch.optim.SGD(state.segmenter.parameters(), lr=1.0)
    for group in sgd.param_groups:
        group["base_lr"] = 1.0
    state.optimizer = sgd
    before = state.segmenter.network.head.weight.detach().clone()
    copy, _ = make(rectangles_root, "fp32")
    image = torch.from_numpy(batch.image).permute(0, 3, 1, 2)
    logits = copy.segmenter(image)
    expected = F.cross_entropy(
        logits, torch.from_numpy(mask).long(), ignore_index=setup.loss.ignore_index
    )
    expected.backward()
    loss = train_step(state, setup, batch._replace(mask=mask))
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    moved = before - state.segmenter.network.head.weight.detach()
    grad = copy.segmenter.network.head.weight.grad
    assert grad is not None
    torch.testing.assert_close(moved, grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("parts", [2, 3, 9])
def test_a_batch_in_parts_has_the_gradient_of_the_whole_batch(
    parts: int, rectangles_root: Path
) -> None:
    gradients: list[dict[str, Tensor]] = []
    losses: list[float] = []
    counts: list[Tensor] = []
    for count in (1, parts):
        overrides = ("model.normalization=group", f"training.accumulation={count}")
        state, setup = make(rectangles_root, "fp32", overrides)
        batch = next(setup.loader.batches(0, 1))
        mask = batch.mask.copy()
        mask[0] = setup.loss.ignore_index
        mask[1:, :20] = setup.loss.ignore_index
        kept: dict[str, Tensor] = {}
        for name, parameter in state.segmenter.named_parameters():
            parameter.register_post_accumulate_grad_hook(
                lambda parameter, name=name, kept=kept: kept.update({name: parameter.grad.clone()})
            )
        losses.append(float(train_step(state, setup, batch._replace(mask=mask))))
        gradients.append(kept)
        counts.append(state.sums.confusion)
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert torch.equal(counts[0], counts[1])
    for name, gradient in gradients[0].items():
        difference = float((gradients[1][name] - gradient).norm())
        assert difference <= 1e-5 * max(float(gradient.norm()), 1e-3), name


def test_colour_jitter_on_the_device_trains_like_colour_jitter_in_the_loader(
    rectangles_root: Path,
) -> None:
    losses: list[float] = []
    for defers_color_jitter in (False, True):
        state, setup = make(rectangles_root, "fp32")
        transform = dataclasses.replace(
            cast("Transform", setup.loader.transform), defers_color_jitter=defers_color_jitter
        )
        setup = dataclasses.replace(
            setup, loader=dataclasses.replace(setup.loader, transform=transform)
        )
        batch = next(setup.loader.batches(0, 1))
        losses.append(float(train_step(state, setup, batch)))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[1] != losses[0]
