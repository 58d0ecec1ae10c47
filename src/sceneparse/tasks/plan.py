"""From a data set and a number of hours to the config of a run that fits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sceneparse import __version__
from sceneparse.artifacts.writing import write_text
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document
from sceneparse.errors import InputError
from sceneparse.planning.commented import commented_yaml
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import Parts, Seconds, chosen_length, seconds_of
from sceneparse.planning.recipe import draft, finished
from sceneparse.planning.sizes import SMALLEST, chosen_sizes
from sceneparse.system.device import select_device
from sceneparse.system.paths import expand_user
from sceneparse.tasks.events import Callback, activity, ignore
from sceneparse.tasks.plan_facts import StartFrom, best_start, data_facts
from sceneparse.tasks.plan_measuring import measured_machine, measured_parts


@dataclass(frozen=True)
class Planned:
    """A run that was planned.

    Attributes:
        config: The run.
        reasons: Why it is so, by dotted path.
        seconds: What it takes, as far as can be told.
        parts: What was measured of it.
        data: What it learns.
        header: Comment at the top of the config file.
    """

    config: RunConfig
    reasons: dict[str, str]
    seconds: Seconds
    parts: Parts
    data: DataFacts
    header: str

    def write(self, path: str | Path) -> None:
        """Write the config as YAML, with the reason of each field beside it.

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
                shown = _short(value)
                found.append((path, str(shown), self.reasons[path]))
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
    out: str | Path | None = None,
    callback: Callback = ignore,
) -> Planned:
    """Look at the data and the machine, and make a config that fits time and memory.

    Measures this machine for about a minute.

    Args:
        data: A published data set, or a folder of your own.
        hours: How long the training may take.
        memory_gb: GiB that it may take; what is free if not given.
        weights: What it starts from; `auto` for the best weights at hand, without a download.
        out: The config file to write, which must not exist; none to write nothing.
        callback: Called with each event.

    Raises:
        InputError: If the data are not as they should be, time or memory are too little, the
            weights are not there, or the config would overwrite a file.
    """
    if out is not None:
        out = expand_user(out)
        _check_free(out)
    seconds = 3600 * hours
    facts = data_facts(expand_user(data).resolve(), callback)
    start = best_start(facts, select_device().type, weights)
    with activity(callback, "measuring this machine"):
        asked_bytes = memory_gb * 2**30 if memory_gb else None
        measured = measured_machine(facts, start, seconds, asked_bytes)
        machine, speed = measured.facts, measured.speed
        least = start.learned_size or SMALLEST
        sizes = chosen_sizes(facts, speed, measured.costs, seconds, machine.memory_bytes, least)
        drafted = draft(facts, machine, start, sizes, speed)
    with activity(callback, "measuring the run"):
        parts = measured_parts(drafted.config, facts, measured, seconds)
    length = chosen_length(sizes, parts, speed, seconds)
    config, reasons = finished(drafted, length, length.epochs * parts.steps_per_epoch)
    taken = seconds_of(length, sizes.size, parts, speed)
    options = f", memory_gb={memory_gb:g}" if memory_gb else ""
    options += f", weights={weights}" if weights != "auto" else ""
    header = "\n".join(
        [
            f"Planned by sceneparse {__version__} for hours={hours:g}{options}.",
            f"Estimate: {time_text(taken)}.",
            f"Measured: {1000 * parts.step_s:.0f} ms per step of {config.training.batch_size} "
            f"images, {parts.steps_per_epoch} steps per epoch, {parts.validation_s:.1f} s per "
            "validation; as busy as the machine was.",
            f"Data: {facts.training} images to train on, {facts.validation} to validate on, "
            f"{len(facts.class_names)} classes, median {facts.width}×{facts.height} pixels.",
        ]
    )
    planned = Planned(config, reasons, taken, parts, facts, header)
    if out is not None:
        planned.write(out)
    return planned


def _check_free(path: Path) -> None:
    """Make the folder of a config before the time for a plan is spent."""
    if path.exists():
        raise InputError(f"{path}: exists already; remove it, or choose another file", "out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path.parent}: cannot be made ({error.strerror}); choose another folder", "out"
        ) from None


def time_text(seconds: Seconds) -> str:
    """Write how long a run takes and where the time goes."""
    parts = seconds._asdict().items()
    shares = ", ".join(f"{name} {part / seconds.total:.0%}" for name, part in parts)
    return f"about {_duration(seconds.total)}: {shares}"


def _short(value: Any) -> str:
    """Write a value in few words: of a section its kind, or its first value."""
    if isinstance(value, dict):
        return str(next(iter(value.values())))
    return str(value)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 600:
        return f"{seconds / 60:.1f} minutes"
    return f"{minutes} minutes" if minutes < 120 else f"{seconds / 3600:.1f} hours"
