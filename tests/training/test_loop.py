"""The loop by itself: it stops anywhere and goes on exactly, and divides by what counts."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

from sceneparse import factory
from sceneparse.augmentation.transform import Transform
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config
from sceneparse.data.loader import Loader
from sceneparse.optimization.schedule import Schedule
from sceneparse.tasks.evaluate import evaluate_dataset
from sceneparse.training.loop import EpochRecord, Job, fit, train_step
from sceneparse.training.state import EpochSums, TrainState

PLUGINS: dict[str, Callable[[], MixedPrecision | None]] = {
    "fp32": lambda: None,
    "bf16": lambda: MixedPrecision("bf16-mixed", "cpu"),
    "fp16": lambda: MixedPrecision("16-mixed", "cpu"),
}


class Watcher:
    """Follows a run; asks to stop at a step and keeps what was saved."""

    def __init__(self, state: TrainState, stop_at: int | None = None) -> None:
        self.state = state
        self.stop_at = stop_at
        self.losses: list[float] = []
        self.records: list[EpochRecord] = []
        self.saved: dict[str, Any] = {}

    def step_ended(self, step: int, loss: Tensor) -> None:
        self.losses.append(float(loss))

    def epoch_ended(self, record: EpochRecord) -> None:
        self.records.append(record)

    def save(self) -> None:
        torch.save(self.state.state_dict(), self.path)

    def wants_stop(self) -> bool:
        return self.state.step == self.stop_at

    path: Path


def make(
    root: Path, precision: str, schedule: str = "plateau", network: str = "{width: 4}"
) -> tuple[TrainState, Job]:
    text = f"""
data: {{kind: folder, root: {root}}}
model: {network}
transform: {{size: 32, crop: 0.5, flip: 0.5, brightness: 0.2}}
optimizer: {{kind: adam, lr: 0.01}}
schedule: {{kind: {schedule}}}
inference: {{size: 32}}
"""
    config: RunConfig = parse_config(text, "test")
    training = factory.dataset(config.data, "training")
    validation = factory.dataset(config.data, "validation")
    labels = training.labels
    torch.manual_seed(0)
    segmenter = config.model.build(labels.num_classes)
    transform = factory.transform(config.transform, 0, torch.device("cpu"), labels)
    loader = Loader(training, transform, 0, 4, 2)
    plugin = PLUGINS[precision]()
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[plugin] if plugin else None)
    state = TrainState(
        segmenter=segmenter,
        optimizer=factory.optimizer(config.optimizer, segmenter),
        schedule=Schedule(config.schedule, 3 * loader.steps_per_epoch),
        precision=plugin,
        sums=EpochSums.zeros(labels.num_classes, fabric.device),
        data_key="rectangles",
    )
    predictor = factory.predictor(segmenter, labels, config.inference, "fp32", fabric.device)
    model, optimizer = fabric.setup(segmenter, state.optimizer)
    return state, Job(
        fabric=fabric,
        model=model,
        optimizer=optimizer,
        loss=config.loss.build(labels),
        loader=loader,
        ignore_index=labels.ignore_index,
        validate=lambda: evaluate_dataset(predictor, validation, 1),
        epochs=3,
        validate_every=1,
        clip_norm=1.0,
    )


@pytest.fixture(scope="module", params=PLUGINS)
def whole(
    request: pytest.FixtureRequest, rectangles_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Watcher]:
    """A precision, and the run in it that nothing stopped."""
    state, job = make(rectangles_root, request.param)
    watcher = Watcher(state)
    watcher.path = tmp_path_factory.mktemp("whole") / "whole.pt"
    assert fit(state, job, watcher)
    return request.param, watcher


@pytest.mark.parametrize("stop_at", [1, 8, 12])
def test_a_run_stopped_anywhere_goes_on_exactly(
    stop_at: int, whole: tuple[str, Watcher], rectangles_root: Path, tmp_path: Path
) -> None:
    precision, unstopped = whole
    first_state, job = make(rectangles_root, precision)
    first = Watcher(first_state, stop_at)
    first.path = tmp_path / "part.pt"
    assert not fit(first_state, job, first)
    second_state, job = make(rectangles_root, precision)
    second_state.load_state_dict(torch.load(first.path, weights_only=True))
    assert second_state.step == stop_at
    second = Watcher(second_state)
    second.path = first.path
    assert fit(second_state, job, second)
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


def test_fp16_keeps_its_scale_in_the_checkpoint(rectangles_root: Path, tmp_path: Path) -> None:
    state, job = make(rectangles_root, "fp16")
    watcher = Watcher(state, 3)
    watcher.path = tmp_path / "a.pt"
    fit(state, job, watcher)
    assert torch.load(watcher.path, weights_only=True)["precision"]["scale"] > 1


def test_a_checkpoint_of_other_data_is_refused(rectangles_root: Path) -> None:
    state, _ = make(rectangles_root, "fp32")
    stored = {**state.state_dict(), "data_key": "others"}
    with pytest.raises(Exception, match="not those that the run was started with"):
        state.load_state_dict(stored)


def test_a_step_follows_the_mean_over_valid_pixels(rectangles_root: Path) -> None:
    state, job = make(rectangles_root, "fp32", "constant")
    batch = next(job.loader.batches(0, 1))
    mask = batch.mask.copy()
    mask[:2] = job.ignore_index
    mask[2, :10] = job.ignore_index
    # The gradient is read off the change of the weights, so the optimizer must only follow it.
    sgd = torch.optim.SGD(state.segmenter.parameters(), lr=1.0)
    for group in sgd.param_groups:
        group["base_lr"] = 1.0
    state.optimizer = sgd
    job = dataclasses.replace(job, optimizer=sgd, clip_norm=None)
    before = state.segmenter.network.head.weight.detach().clone()
    copy, _ = make(rectangles_root, "fp32")
    image = torch.from_numpy(batch.image).permute(0, 3, 1, 2)
    logits = copy.segmenter(image)
    expected = F.cross_entropy(logits, torch.from_numpy(mask).long(), ignore_index=job.ignore_index)
    expected.backward()
    loss = train_step(state, job, batch._replace(mask=mask))
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    moved = before - state.segmenter.network.head.weight.detach()
    grad = copy.segmenter.network.head.weight.grad
    assert grad is not None
    torch.testing.assert_close(moved, grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("parts", [2, 3, 9])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(parts: int, rectangles_root: Path) -> None:
    gradients: list[dict[str, Tensor]] = []
    losses: list[float] = []
    counts: list[Tensor] = []
    for count in (1, parts):
        state, job = make(rectangles_root, "fp32", network="{width: 4, normalization: group}")
        batch = next(job.loader.batches(0, 1))
        mask = batch.mask.copy()
        mask[0] = job.ignore_index
        mask[1:, :20] = job.ignore_index
        kept: dict[str, Tensor] = {}
        for name, parameter in state.segmenter.named_parameters():
            parameter.register_post_accumulate_grad_hook(
                lambda parameter, name=name, kept=kept: kept.update({name: parameter.grad.clone()})
            )
        job = dataclasses.replace(job, accumulation=count)
        losses.append(float(train_step(state, job, batch._replace(mask=mask))))
        gradients.append(kept)
        counts.append(state.sums.confusion)
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert torch.equal(counts[0], counts[1])
    for name, gradient in gradients[0].items():
        difference = float((gradients[1][name] - gradient).norm())
        assert difference <= 1e-5 * max(float(gradient.norm()), 1e-3), name


def test_colours_changed_on_the_device_train_as_those_changed_by_the_loader(
    rectangles_root: Path,
) -> None:
    losses: list[float] = []
    for defers_color_jitter in (False, True):
        state, job = make(rectangles_root, "fp32")
        transform = dataclasses.replace(
            cast("Transform", job.loader.transform), defers_color_jitter=defers_color_jitter
        )
        job = dataclasses.replace(job, loader=dataclasses.replace(job.loader, transform=transform))
        batch = next(job.loader.batches(0, 1))
        losses.append(float(train_step(state, job, batch)))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[1] != losses[0]
