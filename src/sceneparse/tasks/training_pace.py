"""How fast a run trains, measured on a few of its steps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Batch
from sceneparse.inference.evaluate import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.system.device import synchronize
from sceneparse.tasks.assembly import assemble
from sceneparse.training.auto import Plan, resolve
from sceneparse.training.loop import Clock, Job, train_step
from sceneparse.training.state import TrainState


class Bench(NamedTuple):
    """A run that is made to be measured.

    Attributes:
        state: As at its start.
        job: What is done with it.
        plan: What it does on this machine.
        predictor: Around its network.
    """

    state: TrainState
    job: Job
    plan: Plan
    predictor: Predictor


def run_to_measure(config: RunConfig, training: Dataset) -> Bench:
    """Make the objects of a run; its speed does not depend on the weights that it starts from.

    Where its images grow, they have their last size from the beginning.

    Raises:
        InputError: If the device or the encoder asked for is not there, or a mask in which classes
            are counted cannot be read.
    """
    class_statistics = factory.class_statistics(config, training)
    config = factory.with_class_weights(config, class_statistics)
    transform = replace(config.transform, progressive_resizing=None)
    config = replace(config, transform=transform)
    torch.manual_seed(config.seed)
    untrained = config.model.untrained
    segmenter = untrained.build(training.labels.num_classes)
    plan = resolve(config, segmenter, training)
    state, job, predictor = assemble(
        config, plan, segmenter, training, _never, class_statistics=class_statistics
    )
    return Bench(state, job, plan, predictor)


def warm_up(bench: Bench, batch: Batch) -> None:
    """Do the first steps, which reserve memory and, on a GPU, choose algorithms."""
    for _ in range(1 if bench.plan.device.type == "cpu" else 5):
        train_step(bench.state, bench.job, batch)


def training_pace(bench: Bench, batches: Iterator[Batch], seconds: float) -> float:
    """Train as the loop does, from the first batch on; return images per second.

    Args:
        bench: The run.
        batches: What it learns from.
        seconds: Stop after so many of them.

    Raises:
        InputError: If a file is broken.
    """
    batch = next(batches)
    synchronize(bench.plan.device)
    clock = Clock()
    while clock.seconds() < seconds:
        train_step(bench.state, bench.job, batch)
        clock.images += len(batch.names)
        batch = next(batches)
    synchronize(bench.plan.device)
    return clock.images / clock.seconds()


def _never(_: Predictor) -> Evaluation:
    raise NotImplementedError
