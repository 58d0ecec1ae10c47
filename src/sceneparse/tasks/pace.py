"""How long each part of a run takes on this machine, measured on a little of it."""

import sys
import time
from contextlib import closing
from itertools import chain
from typing import NamedTuple

import numpy as np

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import BATCHES_AHEAD, Loader
from sceneparse.inference.predictor import Predictor
from sceneparse.tasks.training_pace import run_to_measure, training_pace, warm_up
from sceneparse.training.memory import advice_on_memory
from sceneparse.training.validation import count_images

# What each of the three measurements takes, about.
MEASURE_S = 5.0


class Pace(NamedTuple):
    """Seconds of the parts of a run in one process.

    Attributes:
        step_s: A training step at the full size of its images, while the next data are read.
        data_s: Reading the data of a step, when nothing else is done.
        validation_image_s: Scoring a validation image, while the next ones are read.
        start_s: From the config to the end of the first steps, which are slower.
        steps_per_epoch: Training steps.
        validation_images: That each validation scores.
    """

    step_s: float
    data_s: float
    validation_image_s: float
    start_s: float
    steps_per_epoch: int
    validation_images: int


def pace(config: RunConfig, seconds: float = MEASURE_S) -> Pace:
    """Measure how long each part of a run takes; nothing of it is written.

    Each measurement takes other images, so that none finds files in the memory of the system
    because another one has read them.

    Args:
        config: The run; what is `auto` in it is decided as when it starts.
        seconds: What each of three measurements may take.

    Raises:
        InputError: If data or config are not as they should be, or the memory is full.
    """
    start = time.perf_counter()
    with advice_on_memory():
        training = factory.dataset(config.data, "training", to_learn=True)
        validation = factory.dataset(config.data, "validation")
        state, setup = run_to_measure(config, training)
        loader = setup.loader
        before = time.perf_counter()
        with closing(loader.batches(0, 1)) as batches:
            batch = next(batches)
        first_batch_s = time.perf_counter() - before
        warm_up(state, setup, batch)
        start_s = time.perf_counter() - start
        steps = max(1, int(seconds / first_batch_s))
        data_s = _data_s(loader, 1, steps)
        with closing(loader.batches(1 + steps, sys.maxsize)) as batches:
            batch = next(batches)
            # Threads read ahead so far; in a short measurement that work would count as its own.
            time.sleep(BATCHES_AHEAD * data_s)
            images_per_s = training_pace(state, setup, chain([batch], batches), seconds)
        validation_image_s = _image_s(setup.predictor, validation, setup.settings.threads, seconds)
    return Pace(
        step_s=loader.batch_size / images_per_s,
        data_s=data_s,
        validation_image_s=validation_image_s,
        start_s=start_s,
        steps_per_epoch=loader.steps_per_epoch,
        validation_images=len(validation),
    )


def _data_s(loader: Loader, first_step: int, steps: int) -> float:
    """Measure the seconds in which the data of a step are read, over some of them."""
    start = time.perf_counter()
    for _ in loader.batches(first_step, first_step + steps):
        pass
    return (time.perf_counter() - start) / steps


def _image_s(predictor: Predictor, dataset: Dataset, threads: int, seconds: float) -> float:
    """Measure the seconds in which an image is scored, over some spread over a data set."""
    times: list[float] = []
    # The first ones also pay for what is set up once, and say how many can be afforded.
    affordable = predictor.batch_size
    for _ in range(2):
        count = min(affordable, len(dataset))
        places = np.linspace(0, len(dataset) - 1, count).astype(int).tolist()
        start = time.perf_counter()
        count_images(predictor, dataset, places, threads)
        times.append((time.perf_counter() - start) / count)
        affordable = max(affordable, int(seconds / times[0]))
    return times[-1]
