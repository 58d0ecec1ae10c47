"""Learning curves of a training run."""

import csv
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sceneparse.artifacts.writing import atomic_write
from sceneparse.errors import InputError

Curve = NDArray[np.float64]

COLORS = {"train": "#4477aa", "validation": "#cc5533", "learning rate": "#557755"}
MAX_MARKED_POINTS = 40
LOG_SCALE_RATIO = 20.0  # of the largest to the smallest learning rate
PADDING = 0.18  # inches
STYLE: dict[Any, Any] = {
    "font.size": 12,
    "text.color": "#262626",
    "axes.labelcolor": "#262626",
    "axes.edgecolor": "#999999",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 14,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "legend.frameon": False,
}


def training_history(metrics_csv: Path, out: Path) -> None:
    """Draw loss, mIoU, pixel accuracy and learning rate over the epochs.

    It marks the epoch with the best validation mIoU. Empty and non-finite values are left out.

    Args:
        metrics_csv: One row per epoch: `epoch`, `learning_rate`, and `loss`, `miou` and
            `pixel_accuracy`, each with the prefixes `train_` and `validation_`.
        out: PNG file to write.

    Raises:
        InputError: If the file has no epochs.
    """
    history = _read(metrics_csv)
    with atomic_write(out) as temporary, mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(14, 10), dpi=100, layout=ConstrainedLayoutEngine(w_pad=PADDING, h_pad=PADDING)
        )
        canvas = FigureCanvasAgg(figure)
        (loss, miou), (accuracy, rate) = figure.subplots(2, 2)
        _draw_both_splits(loss, history, "loss", "loss (validation: cross-entropy)")
        _draw_both_splits(miou, history, "miou", "mIoU")
        _draw_both_splits(accuracy, history, "pixel_accuracy", "pixel accuracy")
        _draw_rate(rate, history)
        _mark_best(history, {"loss": loss, "miou": miou, "pixel_accuracy": accuracy})
        canvas.print_png(temporary)


def _read(metrics_csv: Path) -> dict[str, Curve]:
    """Return one array per column, with NaN for empty values."""
    with metrics_csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise InputError(
            f"{metrics_csv}: found no epochs, expected at least one; train for an epoch"
        )
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def _draw_both_splits(axes: Axes, history: dict[str, Curve], column: str, title: str) -> None:
    for split in ("train", "validation"):
        _plot(axes, history["epoch"], history[f"{split}_{column}"], split)
    _set_up_axes(axes, title, history["epoch"])


def _draw_rate(axes: Axes, history: dict[str, Curve]) -> None:
    rates = history["learning_rate"]
    _plot(axes, history["epoch"], rates, "learning rate")
    positive = rates[np.isfinite(rates) & (rates > 0)]
    if positive.size and positive.max() > LOG_SCALE_RATIO * positive.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    _set_up_axes(axes, "learning rate", history["epoch"])


def _plot(axes: Axes, epochs: Curve, values: Curve, name: str) -> None:
    finite = np.isfinite(values)
    mark_points = np.count_nonzero(finite) <= MAX_MARKED_POINTS
    axes.plot(
        epochs[finite],
        values[finite],
        color=COLORS[name],
        linewidth=1.8,
        marker="o" if mark_points else None,
        markersize=4.5,
        label=name,
    )


def _set_up_axes(axes: Axes, title: str, epochs: Curve) -> None:
    axes.set_title(title, pad=12)
    axes.set_xlabel("epoch")
    margin = max(0.5, 0.02 * np.ptp(epochs))
    axes.set_xlim(epochs.min() - margin, epochs.max() + margin)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    if len(axes.lines) > 1:
        axes.legend()


def _mark_best(history: dict[str, Curve], panels: dict[str, Axes]) -> None:
    """Mark the epoch with the best validation mIoU, and write its values above each panel."""
    miou = history["validation_miou"]
    if not np.isfinite(miou).any():
        return
    best = np.argmax(np.where(np.isfinite(miou), miou, -1))
    epoch, color = history["epoch"][best], COLORS["validation"]
    for column, axes in panels.items():
        value = history[f"validation_{column}"][best]
        label = "best epoch" if column == "miou" else "epoch"
        text = f"{label} {epoch:.0f}: {value:.3f}"
        axes.axvline(epoch, color=color, linewidth=1.2, linestyle=(0, (2, 3)), zorder=1)
        axes.plot(epoch, value, "o", color=color, markersize=11, fillstyle="none")
        axes.set_title(text, loc="right", color=color, fontsize=12, pad=12)
