"""How fast a run trains, measured on a few of its steps."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from lightning_fabric import Fabric

from sceneparse import build
from sceneparse.augmentation.transform import Transform
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Batch, Loader
from sceneparse.inference.evaluate import Evaluation
from sceneparse.runs.train import precision_plugin
from sceneparse.training.auto import Plan, resolve
from sceneparse.training.loop import Clock, Job, train_step
from sceneparse.training.state import EpochSums, TrainState


class Bench(NamedTuple):
    """A run that is made to be measured.

    Attributes:
        state: As at its start.
        job: What is done with it.
        transform: That of its loader.
        plan: What it does on this machine.
    """

    state: TrainState
    job: Job
    transform: Transform
    plan: Plan


class Pace(NamedTuple):
    """How fast training goes.

    Attributes:
        pictures_per_s: What it learns from.
        waiting: Share of the time that it waits for data, in 0..1.
    """

    pictures_per_s: float
    waiting: float


def run_to_measure(config: RunConfig, training: Dataset) -> Bench:
    """Make the objects of a run; its speed does not depend on the weights that it starts from.

    Raises:
        InputError: If the device or the encoder asked for is not there.
    """
    torch.manual_seed(config.seed)
    labels = training.labels
    segmenter = build.segmenter(build.untrained(config.model), labels.num_classes)
    plan = resolve(config, segmenter, training)
    precision = precision_plugin(plan)
    fabric = Fabric(
        accelerator=plan.device.type, devices=1, plugins=[precision] if precision else None
    )
    segmenter = build.on_device(segmenter, fabric.device)
    transform = build.transform(config.transform, config.seed, fabric.device)
    loader = Loader(training, transform, config.seed, plan.batch_size, plan.threads)
    state = TrainState(
        segmenter=segmenter,
        optimizer=build.optimizer(config.optimizer, segmenter),
        schedule=build.schedule(config.schedule, config.training.epochs * loader.steps_per_epoch),
        precision=precision,
        sums=EpochSums.zeros(labels.num_classes, fabric.device),
        data_key="",
    )
    model, optimizer = fabric.setup(segmenter, state.optimizer)
    job = Job(
        fabric=fabric,
        model=model,
        optimizer=optimizer,
        loss=build.loss(config.loss, labels),
        loader=loader,
        ignore_index=labels.ignore_index,
        validate=_never,
        epochs=config.training.epochs,
        validate_every=config.training.validate_every,
        clip_norm=config.training.clip_norm,
    )
    return Bench(state, job, transform, plan)


def warm_up(bench: Bench, batch: Batch) -> None:
    """Do the first steps, which reserve memory and, on a GPU, choose algorithms."""
    for _ in range(1 if bench.plan.device.type == "cpu" else 5):
        train_step(bench.state, bench.job, batch)


def training_pace(bench: Bench, batches: Iterator[Batch], pictures: int, seconds: float) -> Pace:
    """Train as the loop does, and measure it as the loop does, but from the first batch on.

    Args:
        bench: The run.
        batches: What it learns from.
        pictures: Stop when it has learned from so many.
        seconds: Or after so many of them.

    Raises:
        InputError: If a file is broken.
    """
    batch = next(batches)
    _finish(bench.plan.device)
    clock = Clock()
    while clock.pictures < pictures and clock.seconds() < seconds:
        train_step(bench.state, bench.job, batch)
        clock.pictures += len(batch.names)
        with clock.waiting():
            batch = next(batches)
    _finish(bench.plan.device)
    taken = clock.seconds()
    return Pace(clock.pictures / taken, clock.waited / taken)


def _finish(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _never() -> Evaluation:
    raise NotImplementedError
