"""From a data set and hours to the config of a run that fits."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sceneparse import __version__
from sceneparse.checkpoint import write_text
from sceneparse.config import RunConfig
from sceneparse.errors import InputError
from sceneparse.planning.commented import commented_yaml
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import Parts, Seconds, chosen_length, seconds_of
from sceneparse.planning.recipe import draft, finished
from sceneparse.planning.sizes import SMALLEST, chosen_sizes
from sceneparse.system.device import best_device
from sceneparse.tasks.plan_facts import StartFrom, best_start, data_facts
from sceneparse.tasks.plan_measuring import measured_machine, measured_parts


@dataclass(frozen=True)
class PlanOrder:
    """What a plan is asked for.

    Attributes:
        root: Where the data are.
        hours: That the run is to take.
        memory_gb: GiB that it may take; none for what is free.
        weights: What it starts from.
        out: The config to write, which must not be there yet.
    """

    root: Path
    hours: float
    memory_gb: float | None
    weights: StartFrom
    out: Path


@dataclass(frozen=True)
class Planned:
    """A run that was planned.

    Attributes:
        config: The run.
        reasons: Why it is so, by dotted path.
        seconds: What it takes, as far as can be told.
        parts: What was measured of it.
        data: What it learns.
    """

    config: RunConfig
    reasons: dict[str, str]
    seconds: Seconds
    parts: Parts
    data: DataFacts

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the main choices: field, value, reason."""
        sections = self.config.model_dump(mode="json")
        found: list[tuple[str, str, str]] = []
        for path in _MAIN:
            section, _, key = path.partition(".")
            value = sections[section].get(key)
            if path in self.reasons and value is not None:
                shown = value["kind"] if isinstance(value, dict) else value
                found.append((path, str(shown), self.reasons[path]))
        return found

    def time(self) -> str:
        """Say where the time goes."""
        parts = self.seconds._asdict().items()
        shares = ", ".join(f"{name} {seconds / self.seconds.total:.0%}" for name, seconds in parts)
        return f"about {_duration(self.seconds.total)}: {shares}"


_MAIN = (
    "data.root",
    "model.weights",
    "transform.size",
    "transform.first_size",
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


def plan(order: PlanOrder, console: Console) -> Planned:
    """Look at the data and the machine, and write a config that fits time and memory.

    Raises:
        InputError: If the data are not as they should be, time or memory are too little, the
            weights are not there, or the config would overwrite a file.
    """
    if order.out.exists():
        raise InputError(f"{order.out}: is there already; remove it, or give another with --out")
    _make_folder(order.out)
    seconds = 3600 * order.hours
    data = data_facts(order.root.resolve(), console)
    start = best_start(data, best_device().type, order.weights)
    with console.status("measuring this machine") as status:
        asked_bytes = order.memory_gb * 2**30 if order.memory_gb else None
        machine = measured_machine(data, start, seconds, asked_bytes)
        facts, speed = machine.facts, machine.speed
        least = start.learned_size or SMALLEST
        sizes = chosen_sizes(data, speed, machine.costs, seconds, facts.memory_bytes, least)
        drafted = draft(data, facts, start, sizes, speed)
        status.update("measuring the run")
        parts = measured_parts(drafted.config, data, machine, seconds)
    length = chosen_length(sizes, parts, speed, seconds)
    config, reasons = finished(drafted, length, length.epochs * parts.steps_per_epoch)
    taken = seconds_of(length, sizes.size, parts, speed)
    planned = Planned(config, reasons, taken, parts, data)
    write_text(order.out, commented_yaml(config, reasons, _header(order, planned)))
    return planned


def _make_folder(out: Path) -> None:
    """Make the folder of the config before the time for a plan is spent."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{out.parent}: cannot be made ({error.strerror}); give another place with --out"
        ) from None


def _header(order: PlanOrder, planned: Planned) -> str:
    parts, data = planned.parts, planned.data
    batch_size = planned.config.training.batch_size
    options = f" --memory {order.memory_gb:g}" if order.memory_gb else ""
    options += f" --weights {order.weights}" if order.weights != "auto" else ""
    return "\n".join(
        [
            f"Written by sceneparse {__version__}: plan --hours {order.hours:g}{options}",
            f"Train it: sceneparse train {order.out}",
            f"Planned: {planned.time()}.",
            f"Measured: {1000 * parts.step_s:.0f} ms per step of {batch_size} images, "
            f"{parts.steps_per_epoch} steps per epoch, {parts.validation_s:.1f} s per validation; "
            "as busy as the machine was.",
            f"Data: {data.training} images to train on, {data.validation} to validate on, "
            f"{len(data.class_names)} classes, median {data.width}×{data.height} pixels.",
        ]
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 600:
        return f"{seconds / 60:.1f} minutes"
    return f"{minutes} minutes" if minutes < 120 else f"{seconds / 3600:.1f} hours"
