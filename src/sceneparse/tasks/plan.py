"""Plan a run that fits a data set, a machine and a number of hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sceneparse import __version__
from sceneparse.artifacts.writing import write_text
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document
from sceneparse.errors import InputError
from sceneparse.planning.commented_yaml import commented_yaml
from sceneparse.planning.estimate import RunCosts, RunTime
from sceneparse.planning.facts import DataFacts, gather_facts
from sceneparse.planning.length import MIN_SIZE, choose_length, choose_size
from sceneparse.planning.measuring import measure_machine, measure_planned
from sceneparse.planning.reasons import reasons_for
from sceneparse.planning.recipe import planned_config, with_length
from sceneparse.planning.starting_point import StartFrom, choose_starting_point
from sceneparse.recording.events import Callback, activity, ignore
from sceneparse.system.device import select_device
from sceneparse.system.files import create_folder
from sceneparse.system.paths import expand_user


@dataclass(frozen=True)
class Planned:
    """A planned run.

    Attributes:
        config: Config of the run.
        reasons: The reason of each choice, by dotted path of the field.
        time: Estimate of its duration.
        costs: Measured cost of each part of the run.
        data: Facts about the data.
        header: Comment at the top of the config file.
    """

    config: RunConfig
    reasons: dict[str, str]
    time: RunTime
    costs: RunCosts
    data: DataFacts
    header: str

    def write(self, path: str | Path) -> None:
        """Write the config as YAML, with the reason of each choice beside it.

        Raises:
            InputError: If the file exists, or cannot be written.
        """
        path = expand_user(path)
        _check_free(path)
        write_text(path, commented_yaml(self.config, self.reasons, self.header))

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the main choices: field, value, reason."""
        sections = config_document(self.config)
        found: list[tuple[str, str, str]] = []
        for path in _MAIN:
            section, _, key = path.partition(".")
            value = sections[section].get(key)
            if path in self.reasons and value is not None:
                found.append((path, _short(value), self.reasons[path]))
        return found


_MAIN = (
    "data.root",
    "model.weights",
    "transform.size",
    "transform.progressive_resizing",
    "loss.class_weights",
    "optimizer.lr",
    "training.epochs",
    "training.batch_size",
    "training.accumulation",
    "training.precision",
    "training.validate_every",
    "training.ema",
    "inference.size",
    "report.every",
)


def plan(
    data: str | Path,
    *,
    hours: float,
    memory_gb: float | None = None,
    weights: StartFrom = "auto",
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    callback: Callback = ignore,
) -> Planned:
    """Make a config that fits the data, the machine and the time.

    It reads the data set and measures this machine for about a minute.

    Args:
        data: A published data set, or a folder of your own.
        hours: How long the training may take.
        memory_gb: GiB of memory that the training may use; none for all that is free.
        weights: Weights to start from; `auto` for the best weights that need no download.
        overrides: How to read the data, as `data.field=value`.
        out: The config file to write, which must not exist; none to write no file.
        callback: Called with each event.

    Raises:
        InputError: If the data set has faults, time or memory do not suffice, the weights are not
            installed, or the config would overwrite a file.

    Example:
        >>> plan = sceneparse.plan("mydata", hours=0.5)  # doctest: +SKIP
        >>> plan.config.transform.size, plan.reasons["transform.size"]  # doctest: +SKIP
        (224, 'the largest size that leaves time for 20 epochs of 400 images; ...')
    """
    if out is not None:
        out = expand_user(out)
        _check_free(out)
    seconds = 3600 * hours
    asked_bytes = memory_gb * 2**30 if memory_gb else None

    facts = gather_facts(expand_user(data).resolve(), overrides, callback)
    start = choose_starting_point(facts, select_device().type, weights)
    min_size = start.trained_size or MIN_SIZE

    with activity(callback, "measuring this machine"):
        machine = measure_machine(facts, start, seconds, asked_bytes)
    choice = choose_size(
        facts,
        machine.images,
        machine.rough_costs,
        machine.batch_size,
        seconds,
        machine.memory_bytes,
        min_size,
    )
    config = planned_config(facts, machine, start, choice)

    with activity(callback, "measuring the run"):
        costs = measure_planned(config, facts, machine, seconds)
    length, time = choose_length(choice, costs, machine.images, seconds, min_size)
    total_steps = length.epochs * costs.steps_per_epoch
    config = with_length(config, length, total_steps)

    planned = Planned(
        config=config,
        reasons=reasons_for(config, facts, machine, start, length, total_steps),
        time=time,
        costs=costs,
        data=facts,
        header=_header(config, facts, costs, time, hours, memory_gb, weights),
    )
    if out is not None:
        planned.write(out)
    return planned


def _header(
    config: RunConfig,
    data: DataFacts,
    costs: RunCosts,
    time: RunTime,
    hours: float,
    memory_gb: float | None,
    weights: str,
) -> str:
    options = f", memory_gb={memory_gb:g}" if memory_gb else ""
    options += f", weights={weights}" if weights != "auto" else ""
    return "\n".join(
        [
            f"Planned by sceneparse {__version__} for hours={hours:g}{options}.",
            f"Estimate: {time}.",
            f"Measured: {1000 * costs.step_s:.0f} ms per step of {config.training.batch_size} "
            f"images, {costs.steps_per_epoch} steps per epoch, {costs.validation_s:.1f} s per "
            "validation, at the load that the machine had.",
            f"Data: {data.training} images to train on, {data.validation} to validate on, "
            f"{len(data.class_names)} classes, median {data.width}×{data.height} pixels.",
        ]
    )


def _check_free(path: Path) -> None:
    """Refuse an existing file and create its folder before the plan takes time."""
    if path.exists():
        raise InputError(f"{path}: exists already; remove it, or choose another file", "out")
    create_folder(path.parent, "out")


def _short(value: Any) -> str:
    """Write a value briefly: a section by its first field, which is its kind if it has one."""
    if isinstance(value, dict):
        return str(next(iter(value.values())))
    return str(value)
