"""What a plan measures: this machine, and how long the parts of a run take on it."""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import Literal, cast

import numpy as np
import psutil
import torch

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import BATCHES_AHEAD, Batch, Loader
from sceneparse.inference.evaluation import evaluation_sums
from sceneparse.inference.predictor import Predictor
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.planning.estimate import ImageCost, ImageCosts, Machine, RunCosts
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import possible_sizes
from sceneparse.planning.recipe import trial_config
from sceneparse.planning.recording_costs import recording_costs
from sceneparse.planning.starting_point import StartingPoint
from sceneparse.system.device import memory_bytes, synchronize
from sceneparse.system.memory_advice import advice_on_memory
from sceneparse.training.auto import resolve
from sceneparse.training.loop import Clock, train_step
from sceneparse.training.memory import (
    activation_bytes_per_image,
    fitting_parts,
    state_bytes,
    step_budget,
)
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState

# The larger of the two sizes that are measured.
LARGE = 224
# Share of the time for the run that each of three measurements may take, with bounds in seconds.
ROUGH, EXACT = (0.01, 0.3, 2.0), (0.02, 0.5, 6.0)
# Seconds in which Python imports what a run needs: 5 to 8 with PyTorch 2.14 on the machines of
# docs/performance.md. Only runs of few minutes notice the difference.
PROGRAM_S = 6.0
# Seconds of a lap at least. A lap ends when the device has computed its steps.
LAP_S = 0.2


def measure_machine(
    data: DataFacts, start: StartingPoint, seconds: float, asked_bytes: float | None
) -> Machine:
    """Measure a network at two sizes, and everything else that a run does.

    Args:
        data: Facts about the data.
        start: The network.
        seconds: Time for the run, of which a small share is spent here.
        asked_bytes: Memory that the run may take; none for all that is free.

    Raises:
        InputError: If the data are not as they should be, or memory runs out.
    """
    held = psutil.Process().memory_info().rss
    small, large = _sizes_to_measure(data.short_side)
    trial = trial_config(data, start, small)
    with advice_on_memory():
        training = factory.dataset(data.config, "training", to_learn=True)
        validation = factory.dataset(data.config, "validation")
        state, setup = _set_up(trial, training)
        settings = setup.settings
        config = settings.stored_in(trial)
        costs = recording_costs(config, state, setup, validation)
        segmenter = start.model.untrained.build(training.labels.num_classes, trial.channels)
        image_bytes = activation_bytes_per_image(
            config, segmenter, training.labels, settings.precision
        )
    costs = costs._replace(begin_s=costs.begin_s + PROGRAM_S)
    kind = settings.device.type
    # The program itself is a part of what a run takes of the machine's own memory.
    own = 0 if kind == "cuda" else held
    available = (asked_bytes or memory_bytes(settings.device) + own) - own
    budget = step_budget(kind, available, state_bytes(segmenter, trial.optimizer, has_ema=True))

    def at(size: int) -> tuple[ImageCost, float]:
        size_bytes = image_bytes * (size / small) ** 2
        parts = fitting_parts(settings.batch_size, size_bytes, budget)
        sized = trial_config(data, start, size)
        sized = replace(sized, training=replace(config.training, accumulation=parts))
        found = measure_run(sized, _bounded(ROUGH, seconds), costs)
        train_s = found.step_s / settings.batch_size
        cost = ImageCost(train_s, found.validation_s / len(validation), size_bytes)
        return cost, found.begin_s - costs.begin_s

    at_small, first_steps_s = at(small)
    at_large = at(large)[0] if large > small else at_small
    return Machine(
        device=cast("Literal['cpu', 'cuda', 'mps']", kind),
        precision=settings.precision,
        memory_format=settings.memory_format,
        threads=settings.threads,
        batch_size=settings.batch_size,
        memory_bytes=budget,
        asked_bytes=asked_bytes,
        reason=settings.reasons(),
        images=ImageCosts(small, at_small, large, at_large),
        costs=costs,
        first_steps_s=first_steps_s,
    )


def measure_planned(
    config: RunConfig, data: DataFacts, machine: Machine, seconds: float
) -> RunCosts:
    """Measure the run that is planned.

    Args:
        config: The run.
        data: Facts about its data.
        machine: What was measured before.
        seconds: Time for the run, of which a small share is spent here.

    Raises:
        InputError: If memory runs out.
    """
    # A run counts its classes once, not each time that it is measured.
    uncounted = replace(config, loss=CrossEntropyLoss())
    costs = measure_run(uncounted, _bounded(EXACT, seconds), machine.costs)
    counting_s = data.count_s if factory.needs_class_statistics(config) else 0.0
    return costs._replace(begin_s=costs.begin_s + counting_s)


def measure_run(config: RunConfig, seconds: float, others: RunCosts) -> RunCosts:
    """Measure the steps and the validation of a run; nothing of it is written.

    Each measurement takes other training images, as far as there are enough, so that none finds
    files in the memory of the system because another one has read them.

    Args:
        config: The run; what is `auto` in it is resolved as when it starts.
        seconds: Time for each of three measurements; between them, threads finish reading ahead.
        others: What everything else costs.

    Raises:
        InputError: If data or config are not as they should be, or memory runs out.
    """
    start = time.perf_counter()
    with advice_on_memory():
        training = factory.dataset(config.data, "training", to_learn=True)
        validation = factory.dataset(config.data, "validation")
        state, setup = _set_up(config, training)
        loader = setup.loader
        before = time.perf_counter()
        with closing(loader.batches(0, 1)) as batches:
            batch = next(batches)
        first_batch_s = time.perf_counter() - before
        _warm_up(state, setup, batch)
        first_steps_s = time.perf_counter() - start
        steps = max(1, int(seconds / first_batch_s))
        data_s = _data_s(loader, 1, steps)
        with closing(loader.batches(1 + steps, sys.maxsize)) as batches:
            batch = next(batches)
            # Threads read ahead so far; in a short measurement that work would count as its own.
            time.sleep(BATCHES_AHEAD * data_s)
            image_s = _training_image_s(state, setup, chain([batch], batches), seconds)
        validation_s = _validation_image_s(
            setup.predictor, validation, setup.settings.threads, seconds
        )
    return others._replace(
        begin_s=others.begin_s + first_steps_s,
        step_s=loader.batch_size * image_s,
        steps_per_epoch=loader.steps_per_epoch,
        validation_s=len(validation) * validation_s,
    )


def _set_up(config: RunConfig, training: Dataset) -> tuple[TrainState, TrainSetup]:
    """Make the objects of a run to measure, without weights and at the full size of its images."""
    class_statistics = factory.class_statistics(config, training)
    config = factory.with_class_weights(config, class_statistics)
    config = replace(config, transform=replace(config.transform, progressive_resizing=None))
    torch.manual_seed(config.seed)
    segmenter = config.model.untrained.build(training.labels.num_classes, config.channels)
    settings = resolve(config, segmenter, training)
    return set_up_training(config, settings, segmenter, training, class_statistics=class_statistics)


def _warm_up(state: TrainState, setup: TrainSetup, batch: Batch) -> None:
    """Do the first steps, which allocate memory and, on a GPU, choose algorithms."""
    for _ in range(1 if setup.device.type == "cpu" else 5):
        train_step(state, setup, batch)


def _training_image_s(
    state: TrainState, setup: TrainSetup, batches: Iterator[Batch], seconds: float
) -> float:
    """Measure the seconds of a training image, the reading of the next ones included.

    The median over laps of one or more steps: other programs that compute for a moment change the
    mean of so few steps, but not the median.
    """
    batch = next(batches)
    synchronize(setup.device)
    laps: list[float] = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        clock = Clock()
        while not clock.images or clock.seconds() < LAP_S:
            train_step(state, setup, batch)
            clock.images += len(batch.names)
            batch = next(batches)
        synchronize(setup.device)
        laps.append(clock.seconds() / clock.images)
    return statistics.median(laps)


def _data_s(loader: Loader, first_step: int, steps: int) -> float:
    """Measure the seconds in which the images of a step are read."""
    start = time.perf_counter()
    for _ in loader.batches(first_step, first_step + steps):
        pass
    return (time.perf_counter() - start) / steps


def _validation_image_s(
    predictor: Predictor, dataset: Dataset, threads: int, seconds: float
) -> float:
    """Measure the seconds of a validation image, on images spread over a data set."""
    times: list[float] = []
    # The first images also pay for what is set up once, and tell how many can be afforded.
    affordable = predictor.batch_size
    for _ in range(2):
        count = min(affordable, len(dataset))
        indices = np.linspace(0, len(dataset) - 1, count).astype(int).tolist()
        start = time.perf_counter()
        evaluation_sums(predictor, dataset, indices, threads)
        times.append((time.perf_counter() - start) / count)
        affordable = max(affordable, int(seconds / times[0]))
    return times[-1]


def _sizes_to_measure(short_side: int) -> tuple[int, int]:
    sizes = possible_sizes(short_side)
    return sizes[0], max(size for size in sizes if size <= max(LARGE, sizes[0]))


def _bounded(share: tuple[float, float, float], seconds: float) -> float:
    """Return a share of a time, within a minimum and a maximum in seconds."""
    part, low, high = share
    return min(high, max(low, part * seconds))
