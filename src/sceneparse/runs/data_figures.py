"""What was measured on the way from files to batches, as a table and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.table import Table

from sceneparse.errors import InputError

# Shares that are too little to act on: of the time spent waiting, and of the speed lost otherwise.
LITTLE_WAIT = 0.05
LITTLE_SLOWDOWN = 0.1


class Stage(StrEnum):
    """What is done to a picture before the network sees it, in this order."""

    READ = "read the files"
    IMAGE = "decode the picture"
    MASK = "decode the mask"
    DRAW = "draw the scene"
    FETCH = "fetch picture and mask"
    RESAMPLE = "crop, scale and flip"
    ARTEFACTS = "blur, noise, JPEG"
    COLORS = "change colours"
    STACK = "stack into a batch"


@dataclass(frozen=True)
class RunFacts:
    """What the run is that was measured.

    Attributes:
        from_files: Whether each picture is decoded whenever it is needed.
        device: Where it computes.
        precision: In which precision.
        batch_size: Pictures per step.
        threads: Threads that read pictures ahead.
        needed_side: Shorter side in pixels of pictures of which the smallest crop loses no detail.
        remedy: The command that decodes or draws the pictures once for all epochs.
    """

    from_files: bool
    device: str
    precision: str
    batch_size: int
    threads: int
    needed_side: int
    remedy: str


@dataclass(frozen=True)
class StageFigures:
    """The stages, one after the other in one thread.

    Attributes:
        seconds: Per picture, of each stage that this run has.
        pictures: Over how many.
        source_size: Median height and width of the pictures as they are stored.
        whole_resample: Seconds per picture of cropping and scaling whole decoded pictures.
    """

    seconds: Mapping[Stage, float]
    pictures: int
    source_size: tuple[int, int]
    whole_resample: float

    @property
    def total(self) -> float:
        """Seconds per picture of all stages."""
        return sum(self.seconds.values())

    @property
    def once_decoded(self) -> float:
        """Seconds per picture that are left where whole decoded pictures are at hand."""
        spared = (Stage.IMAGE, Stage.MASK, Stage.RESAMPLE)
        left = (seconds for stage, seconds in self.seconds.items() if stage not in spared)
        return sum(left) + self.whole_resample

    def share(self, *stages: Stage) -> float:
        """Return the part of the loader's work that some stages take, in 0..1."""
        return sum(self.seconds.get(stage, 0.0) for stage in stages) / self.total


@dataclass(frozen=True)
class DataFigures:
    """All that was measured.

    Attributes:
        run: Which run.
        stages: Its stages.
        loader: Pictures per second of the whole loader, by its number of threads.
        step: Pictures per second of training on a batch that is in memory.
        training: Pictures per second of training with the loader.
        waiting: Share of the time that training waits for data, in 0..1.
    """

    run: RunFacts
    stages: StageFigures
    loader: Mapping[int, float]
    step: float
    training: float
    waiting: float

    @property
    def waits(self) -> bool:
        """Whether training waits for data long enough for a change to be worth it."""
        return self.waiting >= LITTLE_WAIT

    @property
    def is_slowed(self) -> bool:
        """Whether reading takes speed from training, by waiting or by working beside it."""
        # A loader whose work is little beside that of the step cannot be what slowed it.
        can_slow = self.stages.total * self.step >= LITTLE_SLOWDOWN
        is_slower = self.training < (1 - LITTLE_SLOWDOWN) * self.step
        return self.waits or (can_slow and is_slower)

    def table(self) -> Table:
        """Lay everything out."""
        run, (height, width) = self.run, self.stages.source_size
        table = Table(
            title=f"{self.stages.pictures} pictures, median {width}×{height} pixels · "
            f"batches of {run.batch_size} · {run.device}, {run.precision}",
            title_justify="left",
        )
        table.add_column("stage")
        for column in ("ms per picture", "pictures/s", "of the loader"):
            table.add_column(column, justify="right")
        for stage, seconds in self.stages.seconds.items():
            table.add_row(stage, *_cells(1 / seconds), f"{self.stages.share(stage):.1%}")
        table.add_row("all, in one thread", *_cells(1 / self.stages.total), "100.0%")
        table.add_section()
        for threads, rate in self.loader.items():
            name = f"loader, {threads} thread" + ("s" if threads > 1 else "")
            mine = " (this run)" if threads == run.threads else ""
            table.add_row(name + mine, *_cells(rate))
        table.add_section()
        table.add_row("training step alone", *_cells(self.step))
        table.add_row("training with the loader", *_cells(self.training), style="bold")
        return table

    def document(self, advice: list[str]) -> dict[str, Any]:
        """Return the figures of the table, and what was advised, as plain data."""
        stages, run = self.stages, self.run
        return {
            "device": run.device,
            "precision": run.precision,
            "batch_size": run.batch_size,
            "threads": run.threads,
            "pictures": stages.pictures,
            "picture_size": list(stages.source_size),
            "needed_side": run.needed_side,
            "stages": [
                {"stage": stage.name.lower(), "share": stages.share(stage), **_rates(1 / seconds)}
                for stage, seconds in stages.seconds.items()
            ],
            "loader": [
                {"threads": threads, **_rates(rate)} for threads, rate in self.loader.items()
            ],
            "loader_once_decoded": _rates(1 / stages.once_decoded) if run.from_files else None,
            "step": _rates(self.step),
            "training": {**_rates(self.training), "data_wait_share": self.waiting},
            "advice": advice,
        }

    def write(self, path: Path, advice: list[str]) -> None:
        """Write the document as JSON.

        Raises:
            InputError: If the file cannot be written.
        """
        try:
            path.write_text(json.dumps(self.document(advice), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _cells(pictures_per_s: float) -> tuple[str, str]:
    return f"{1000 / pictures_per_s:,.2f}", f"{pictures_per_s:,.1f}"


def _rates(pictures_per_s: float) -> dict[str, float]:
    return {"ms_per_picture": 1000 / pictures_per_s, "pictures_per_s": pictures_per_s}
