"""What a run has recorded so far: its tables and its best weights.

Checkpoints hold them, so that a resumed run can write these files as they were at its step,
whatever a crash has left of them.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.writing import remove, write_bytes, write_text
from sceneparse.errors import InputError
from sceneparse.recording.divergence import DivergenceWatch
from sceneparse.training.loop import EpochRecord

Row = Mapping[str, int | float | None]


@dataclass
class RecordedRun:
    """The tables of a run, and its best weights.

    Attributes:
        metrics: Rows of `metrics.csv`, one per epoch.
        timing: Rows of `timing.csv`, one per epoch.
        best: Content of `model.safetensors`; empty before the first validation.
        watch: What it has reported about a run that does not learn.
    """

    metrics: list[Row] = field(default_factory=list)
    timing: list[Row] = field(default_factory=list)
    best: bytes = b""
    watch: DivergenceWatch = field(default_factory=DivergenceWatch)

    def add(self, record: EpochRecord) -> None:
        """Add the row of an epoch to both tables."""
        self.metrics.append(metrics_row(record))
        self.timing.append({"epoch": record.epoch, **record.timing})

    def write(self, folder: RunFolder) -> None:
        """Write the files, and remove those that the run does not have yet at this step.

        Raises:
            InputError: If a file cannot be written.
        """
        for path, rows in ((folder.metrics, self.metrics), (folder.timing, self.timing)):
            _write_table(path, rows)
        if not self.best:
            remove(folder.weights)
        elif not folder.weights.is_file() or folder.weights.read_bytes() != self.best:
            write_bytes(folder.weights, self.best)

    def state_dict(self) -> dict[str, Any]:
        """Return the record as data of a checkpoint."""
        best = torch.frombuffer(bytearray(self.best), dtype=torch.uint8) if self.best else None
        return {
            "metrics": list(self.metrics),
            "timing": list(self.timing),
            "best": best,
            "watch": asdict(self.watch),
        }

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> "RecordedRun":
        """Return the record of a checkpoint.

        Raises:
            InputError: If the checkpoint holds no such record.
        """
        try:
            best = state["best"]
            content = b"" if best is None else best.numpy().tobytes()
            watch = DivergenceWatch(**state["watch"])
            return cls(list(state["metrics"]), list(state["timing"]), content, watch)
        except (LookupError, RuntimeError, TypeError, AttributeError) as error:
            raise InputError(
                f"the checkpoint holds no record of a run ({type(error).__name__}); start a new run"
            ) from None


def metrics_row(record: EpochRecord) -> dict[str, int | float | None]:
    """Return the row of an epoch in `metrics.csv`: everything but times."""
    validation = record.validation
    scores = validation.scores if validation else None
    return {
        "epoch": record.epoch,
        "step": record.step,
        "learning_rate": record.learning_rate,
        "train_loss": record.train_loss,
        "train_miou": record.train.miou,
        "train_pixel_accuracy": record.train.pixel_accuracy,
        "validation_loss": validation.loss if validation else None,
        "validation_miou": scores.miou if scores else None,
        "validation_pixel_accuracy": scores.pixel_accuracy if scores else None,
        "validation_mean_accuracy": scores.mean_accuracy if scores else None,
        "validation_fwiou": scores.fwiou if scores else None,
    }


def _write_table(path: Path, rows: list[Row]) -> None:
    if not rows:
        remove(path)
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
