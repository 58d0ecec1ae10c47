"""An epoch in words, and as rows of tables."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sceneparse.checkpoint import write_text
from sceneparse.training.loop import EpochRecord


def metrics_row(record: EpochRecord) -> dict[str, int | float | None]:
    """Return the row of an epoch in `metrics.csv`."""
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


def headline(record: EpochRecord) -> str:
    """Return the title of an epoch's drawing."""
    title = f"epoch {record.epoch}"
    if record.validation:
        scores = record.validation.scores
        title += f" · mIoU {scores.miou:.3f} · pixel accuracy {scores.pixel_accuracy:.3f}"
    return title


def epoch_line(record: EpochRecord, epochs: int) -> str:
    """Return the line that is printed after an epoch."""
    parts = [
        f"epoch {record.epoch:>{len(str(epochs))}}/{epochs}",
        f"loss {record.train_loss:.3f} mIoU {record.train.miou:.3f} "
        f"accuracy {record.train.pixel_accuracy:.3f}",
    ]
    if record.validation:
        scores = record.validation.scores
        parts.append(
            f"validation loss {record.validation.loss:.3f} mIoU {scores.miou:.3f} "
            f"accuracy {scores.pixel_accuracy:.3f}{' (best)' if record.is_best else ''}"
        )
    timing = record.timing
    parts.append(
        f"{timing['images_per_s']:.1f} images/s, {timing['train_s'] + timing['validation_s']:.0f} s"
    )
    return " | ".join(parts)


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add a row to a CSV file, with a header if it is new; the file is replaced as a whole."""
    text = io.StringIO(path.read_text(encoding="utf-8") if path.exists() else "")
    text.seek(0, io.SEEK_END)
    writer = csv.DictWriter(text, fieldnames=list(row), lineterminator="\n")
    if text.tell() == 0:
        writer.writeheader()
    writer.writerow(row)
    write_text(path, text.getvalue())


def forget_rows_after(path: Path, epoch: int) -> None:
    """Drop the rows of epochs that a resumed run is going to do again."""
    if path.exists():
        lines: Sequence[str] = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [lines[0], *(line for line in lines[1:] if int(line.split(",")[0]) <= epoch)]
        write_text(path, "".join(kept))
