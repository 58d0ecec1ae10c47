"""How fast pictures come from their files to the training step, and whether it waits for them."""

import itertools
import os
import shlex
import sys
import time
from contextlib import closing
from dataclasses import replace

from rich.console import Console

from sceneparse import build
from sceneparse.config import RunConfig, SyntheticData
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.loader import Loader
from sceneparse.runs.data_figures import DataFigures, RunFacts
from sceneparse.runs.data_stages import measured_stages
from sceneparse.runs.memory import advice_on_memory
from sceneparse.runs.training_pace import run_to_measure, training_pace, warm_up
from sceneparse.training.auto import Plan

# Seconds that the stages, the loader, and each of the two measurements of the step may take.
STAGES_S, LOADER_S, STEPS_S = 3.0, 3.0, 4.0


def bench_data(config: RunConfig, pictures: int, console: Console) -> DataFigures:
    """Measure the stages of the loader, the loader, the step, and training with the loader.

    Each measurement takes the next pictures in the order of training, so that none finds files in
    the memory of the system because another has read them.

    Args:
        config: The run; nothing of it is written.
        pictures: About the most that each measurement takes.
        console: Where it is shown what is being measured.

    Raises:
        InputError: If data or config are not as they should be.
    """
    with console.status("opening the data") as status, advice_on_memory():
        training = build.dataset(config.data, "training", to_learn=True)
        bench = run_to_measure(config, training)
        loader = bench.job.loader
        status.update("measuring the stages of the loader")
        stages = measured_stages(loader, bench.transform, pictures, STAGES_S)
        status.update("measuring the loader")
        done = stages.pictures + 1
        rates: dict[int, float] = {}
        counts = thread_counts(loader.threads, os.cpu_count() or 1)
        for threads in counts:
            affordable = int(LOADER_S / len(counts) * threads / stages.total)
            most = max(2 * threads, min(pictures, affordable))
            rates[threads] = _loader_rate(replace(loader, threads=threads), done, most)
            done += most
        status.update("measuring the training step")
        step = _first_step_after(done, loader.batch_size)
        with closing(loader.batches(step, step + 1)) as batches:
            batch = next(batches)
        warm_up(bench, batch)
        alone = training_pace(bench, itertools.repeat(batch), pictures, STEPS_S)
        status.update("measuring training with the loader")
        with closing(loader.batches(step + 1, sys.maxsize)) as batches:
            whole = training_pace(bench, batches, pictures, STEPS_S)
    return DataFigures(
        run=_facts(config, training, bench.plan),
        stages=stages,
        loader=rates,
        step=alone.pictures_per_s,
        training=whole.pictures_per_s,
        waiting=whole.waiting,
    )


def thread_counts(mine: int, cores: int) -> list[int]:
    """List the numbers of threads to try: powers of two up to the cores, the cores, the run's."""
    powers = (2**exponent for exponent in range(cores.bit_length()))
    return sorted({*powers, cores, mine})


def _loader_rate(loader: Loader, done: int, pictures: int) -> float:
    """Return the pictures per second of a loader that goes on after those that were read."""
    # Smaller batches where one of them would take too long.
    batch_size = min(loader.batch_size, pictures)
    loader = replace(loader, batch_size=batch_size)
    first, steps = _first_step_after(done, batch_size), pictures // batch_size
    start = time.perf_counter()
    for _ in loader.batches(first, first + steps):
        pass
    return steps * batch_size / (time.perf_counter() - start)


def _first_step_after(pictures: int, batch_size: int) -> int:
    return -(-pictures // batch_size)


def _facts(config: RunConfig, training: Dataset, plan: Plan) -> RunFacts:
    data = config.data
    if isinstance(data, SyntheticData):
        remedy = (
            f"sceneparse data synth FOLDER --images {data.training_images} "
            f"--validation {data.validation_images} --width {data.width} --height {data.height} "
            f"--seed {data.seed}"
        )
    else:
        remedy = f"sceneparse data cache {shlex.quote(str(data.root))}"
    return RunFacts(
        from_files=isinstance(training, PairedFiles),
        device=plan.device.type,
        precision=plan.precision,
        batch_size=plan.batch_size,
        threads=plan.threads,
        needed_side=round(config.transform.largest_side),
        remedy=remedy,
    )
