"""What a plan needs to know that has to be measured: the machine, and how fast a run goes on it."""

import subprocess
import sys
import time
from dataclasses import replace
from typing import NamedTuple, cast

import psutil

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.models.settings import EncoderUNetModel, ModelSettings
from sceneparse.planning.facts import (
    Costs,
    DataFacts,
    Device,
    MachineFacts,
    Measured,
    Speed,
    Start,
)
from sceneparse.planning.length import Parts
from sceneparse.planning.recipe import trial
from sceneparse.planning.sizes import possible_sizes
from sceneparse.system.device import memory_bytes
from sceneparse.tasks.pace import Pace, pace
from sceneparse.tasks.recording_costs import recording_costs
from sceneparse.tasks.training_pace import run_to_measure
from sceneparse.training.auto import RuntimeSettings
from sceneparse.training.memory import MEMORY_SHARE, advice_on_memory, fitting_parts, step_bytes

# The larger of the two sizes that are measured: others lie on the straight line through both.
LARGE = 224
# Shares of the time asked for that each of three measurements of a pace may take, and their bounds
# in seconds.
ROUGH, EXACT = (0.01, 0.3, 2.0), (0.02, 0.5, 6.0)


class Machine(NamedTuple):
    """A machine, and what runs take on it.

    Attributes:
        facts: What computes, and how.
        speed: What images take.
        costs: What else takes time.
        before_s: Those seconds of the beginning that do not depend on the size of the images.
    """

    facts: MachineFacts
    speed: Speed
    costs: Costs
    before_s: float


def measured_machine(
    data: DataFacts, start: Start, seconds: float, asked_bytes: float | None
) -> Machine:
    """Measure a network at two sizes, and everything that a run does beside.

    Args:
        data: What is learned.
        start: The network.
        seconds: That the run may take; little of it is spent here.
        asked_bytes: Memory that it may take, if not all that is free.

    Raises:
        InputError: If the data are not as they should be, or the memory is full.
    """
    held = psutil.Process().memory_info().rss
    program_s = _program_s(start.model)
    small, large = _sizes_to_measure(data.short_side)
    with advice_on_memory():
        training = factory.dataset(data.config, "training", to_learn=True)
        state, setup = run_to_measure(trial(data, start, small), training)
        settings = setup.settings
        config = settings.stored_in(trial(data, start, small))
        costs = recording_costs(config, state, setup, factory.dataset(data.config, "validation"))
        segmenter = start.model.untrained.build(training.labels.num_classes)
        image_bytes = step_bytes(config, segmenter, training.labels, settings.precision)
    weights = sum(4 * parameter.numel() for parameter in segmenter.parameters())
    facts = _facts(settings, weights, held, asked_bytes)

    def at(size: int) -> tuple[Pace, Measured]:
        size_bytes = image_bytes * (size / small) ** 2
        parts = fitting_parts(settings.batch_size, size_bytes, facts.memory_bytes)
        training = replace(config.training, accumulation=parts)
        found = pace(replace(trial(data, start, size), training=training), _within(ROUGH, seconds))
        image_s = found.step_s / settings.batch_size
        return found, Measured(image_s, found.validation_image_s, size_bytes)

    first, at_small = at(small)
    at_large = at(large)[1] if large > small else at_small
    before_s = program_s + costs.begin_s
    costs = costs._replace(begin_s=before_s + first.start_s)
    return Machine(facts, Speed(small, at_small, large, at_large), costs, before_s)


def measured_parts(config: RunConfig, data: DataFacts, machine: Machine, seconds: float) -> Parts:
    """Measure the very run that is planned.

    Args:
        config: That run.
        data: What it learns.
        machine: What was measured before.
        seconds: That it may take.

    Raises:
        InputError: If the memory is full.
    """
    # Its classes are counted when it starts, once, and not each time that a pace is measured.
    found = pace(replace(config, loss=CrossEntropyLoss()), _within(EXACT, seconds))
    counting_s = data.count_s if factory.needs_class_statistics(config) else 0.0
    return Parts(
        step_s=found.step_s,
        steps_per_epoch=found.steps_per_epoch,
        validation_s=found.validation_images * found.validation_image_s,
        costs=machine.costs._replace(begin_s=machine.before_s + found.start_s + counting_s),
    )


def _facts(
    settings: RuntimeSettings, weights: int, held: int, asked_bytes: float | None
) -> MachineFacts:
    """Say what the machine decided for a network with so many bytes of weights."""
    kind = settings.device.type
    # The program itself is part of what a run takes of the machine's own memory.
    own = 0 if kind == "cuda" else held
    there = asked_bytes or memory_bytes(settings.device) + own
    room = MEMORY_SHARE[kind] * (there - own)
    return MachineFacts(
        device=cast("Device", kind),
        precision=settings.precision,
        memory_format=settings.memory_format,
        threads=settings.threads,
        # Weights, their gradients, two moments and an average take their part whatever the batch.
        memory_bytes=room - 5 * weights,
        asked_bytes=asked_bytes,
        measured=settings.reasons(),
    )


def _sizes_to_measure(short_side: int) -> tuple[int, int]:
    sizes = possible_sizes(short_side)
    return sizes[0], max(size for size in sizes if size <= max(LARGE, sizes[0]))


def _within(share: tuple[float, float, float], seconds: float) -> float:
    """Return a share of a time, at least and at most so many seconds."""
    part, least, most = share
    return min(most, max(least, part * seconds))


def _program_s(model: ModelSettings) -> float:
    """Measure the seconds in which Python reads all that a run needs, in a process of its own."""
    encoders = "import timm; " if isinstance(model, EncoderUNetModel) else ""
    # -P: a folder `sceneparse` where the user is must not hide the package.
    command = [sys.executable, "-P", "-c", f"{encoders}import sceneparse.tasks.train"]
    start = time.perf_counter()
    subprocess.run(command, check=True)  # noqa: S603 - fixed arguments
    return time.perf_counter() - start
