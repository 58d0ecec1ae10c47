"""Measure how fast a run trains, on a few of its steps."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Batch
from sceneparse.inference.evaluate import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.system.device import synchronize
from sceneparse.training.auto import resolve
from sceneparse.training.loop import Clock, train_step
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState


def run_to_measure(config: RunConfig, training: Dataset) -> tuple[TrainState, TrainSetup]:
    """Make the objects of a run to measure; its speed does not depend on its initial weights.

    With progressive resizing, images have their full size from the first step.

    Args:
        config: The config of the run.
        training: The training images.

    Returns:
        The state before the first step, and the setup, which cannot validate.

    Raises:
        InputError: If the device or the encoder does not exist, or a mask cannot be read.
    """
    class_statistics = factory.class_statistics(config, training)
    config = factory.with_class_weights(config, class_statistics)
    transform = replace(config.transform, progressive_resizing=None)
    config = replace(config, transform=transform)
    torch.manual_seed(config.seed)
    segmenter = config.model.untrained.build(training.labels.num_classes)
    settings = resolve(config, segmenter, training)
    return set_up_training(
        config, settings, segmenter, training, _never, class_statistics=class_statistics
    )


def warm_up(state: TrainState, setup: TrainSetup, batch: Batch) -> None:
    """Do the first steps, which allocate memory and, on a GPU, choose algorithms."""
    for _ in range(1 if setup.device.type == "cpu" else 5):
        train_step(state, setup, batch)


def training_pace(
    state: TrainState, setup: TrainSetup, batches: Iterator[Batch], seconds: float
) -> float:
    """Measure the images per second of training steps.

    Args:
        state: The training state; it is updated in place.
        setup: The setup of the run.
        batches: Its batches.
        seconds: Time after which to stop.

    Raises:
        InputError: If a file is broken.
    """
    batch = next(batches)
    synchronize(setup.device)
    clock = Clock()
    while clock.seconds() < seconds:
        train_step(state, setup, batch)
        clock.images += len(batch.names)
        batch = next(batches)
    synchronize(setup.device)
    return clock.images / clock.seconds()


def _never(_: Predictor) -> Evaluation:
    raise NotImplementedError
