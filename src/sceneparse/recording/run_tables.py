"""The tables of a run: one row per epoch in `metrics.csv` and `timing.csv`."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.writing import write_text
from sceneparse.training.loop import EpochRecord

Row = Mapping[str, int | float | None]


def append_epoch(folder: RunFolder, record: EpochRecord) -> None:
    """Add the row of an epoch to both tables.

    Raises:
        InputError: If a table cannot be written.
    """
    _append(folder.metrics, metrics_row(record))
    _append(folder.timing, {"epoch": record.epoch, **record.timing})


def drop_epochs_after(folder: RunFolder, epoch: int) -> None:
    """Drop the rows of epochs that a resumed run is going to repeat."""
    for table in (folder.metrics, folder.timing):
        if table.exists():
            header, *rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if int(row.split(",")[0]) <= epoch]
            write_text(table, "".join([header, *kept]))


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


def _append(path: Path, row: Row) -> None:
    """Add a row to a CSV file, with a header if the file is new; replace the file as a whole."""
    text = io.StringIO(path.read_text(encoding="utf-8") if path.exists() else "")
    text.seek(0, io.SEEK_END)
    writer = csv.DictWriter(text, fieldnames=list(row), lineterminator="\n")
    if text.tell() == 0:
        writer.writeheader()
    writer.writerow(row)
    write_text(path, text.getvalue())
