"""Tables for the terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sceneparse.system.ranks import find_rank_info

if TYPE_CHECKING:
    from sceneparse.metrics.bootstrap import ConfidenceInterval
    from sceneparse.metrics.comparison import ClassChange, Comparison
    from sceneparse.tasks.check import CheckReport
    from sceneparse.tasks.score import ScoreReport
    from sceneparse.tasks.summary import NetworkSummary
    from sceneparse.tasks.tta import TtaReport

# Markup is off because names and paths may hold brackets. Only rank zero prints.
console = Console(highlight=False, markup=False, quiet=find_rank_info().rank > 0)
console_of_stderr = Console(
    stderr=True, highlight=False, markup=False, quiet=find_rank_info().rank > 0
)


def scores_table(report: "ScoreReport") -> Table:
    """Lay out the scores over all classes, with 95 % bootstrap confidence intervals."""
    title = f"{report.images} images, with 95 % bootstrap confidence intervals"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    summary = report.scores.summary()
    intervals = report.intervals._asdict()
    for name, key in _NAMES.items():
        value = summary[key]
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        table.add_row(name, shown, _bounds(intervals[key]) if key in intervals else "")
    if report.loss is not None:
        table.add_row("loss", f"{report.loss:.4f}")
    if report.resize:
        table.add_row("image resizing", report.resize)
    return table


def differences_table(comparison: "Comparison") -> Table:
    """Lay out the differences of scores between two score files."""
    title = f"second minus first, {comparison.images} images"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("difference", "95 % interval", "resamples where the second is better"):
        table.add_column(column, justify="right")
    for name, key in list(_NAMES.items())[:2]:
        gain, superiority = comparison.differences._asdict()[key]
        table.add_row(name, f"{gain.value:+.4f}", _bounds(gain, "+"), f"{superiority:.1%}")
    return table


def class_changes_table(title: str, changes: Sequence["ClassChange"]) -> Table:
    """Lay out the classes whose IoU changes most."""
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    for column in ("first IoU", "second IoU", "change"):
        table.add_column(column, justify="right")
    for name, first, second in changes:
        table.add_row(name, f"{first:.3f}", f"{second:.3f}", f"{second - first:+.3f}")
    return table


def trials_table(report: "TtaReport") -> Table:
    """Lay out the score of every setting on the images on which settings are chosen."""
    images = len(report.best[0].chosen_on)
    table = Table(title=f"all settings, on {images} images", title_justify="left")
    for column in ("method", "setting"):
        table.add_column(column, overflow="fold")
    for column in ("mIoU", "ms per image"):
        table.add_column(column, justify="right")
    for trial in report.trials:
        chosen = "bold" if trial in report.best else None
        score, cost = f"{trial.chosen_miou:.4f}", f"{trial.milliseconds:.0f}"
        table.add_row(trial.setting.method, str(trial.setting), score, cost, style=chosen)
    return table


def best_table(report: "TtaReport") -> Table:
    """Lay out the best setting of each method on the other images."""
    images = len(report.best[0].reported_on)
    title = f"best of each method, on {images} other images, with 95 % intervals"
    table = Table(title=title, title_justify="left")
    table.add_column("method")
    for column in ("mIoU", "pixel accuracy", "gain in mIoU", "gain in accuracy", "ms per image"):
        table.add_column(column, justify="right")
    for trial in report.best:
        miou, accuracy = (f"{score.value:.4f}" for score in trial.reported())
        gains = (f"{gain.value:+.4f} ({_bounds(gain, '+')})" for gain, _ in report.gain(trial))
        plain = trial is report.best[0]
        shown = ("", "") if plain else gains
        table.add_row(trial.setting.method, miou, accuracy, *shown, f"{trial.milliseconds:.0f}")
    return table


def data_table(report: "CheckReport") -> Table:
    """Lay out the classes of a data set with pixel shares and image counts."""
    table = Table(title=Text(f"classes of {report.root}"), title_justify="left")
    table.add_column("id", justify="right")
    table.add_column("class")
    table.add_column("share", justify="right")
    for split in report.splits:
        table.add_column(f"{split.name} images", justify="right")
    for raw_id, name, share, images in report.rows():
        table.add_row(str(raw_id), Text(name), f"{share:.3%}", *map(str, images))
    return table


def layers_table(network: "NetworkSummary") -> Table:
    """Lay out the layers of a network: output shape, parameters and multiply-adds."""
    adds = sum(layer.multiply_adds for layer in network.layers)
    table = Table(
        title=f"{network.parameters:,} parameters, {adds / 1e9:.2f} G multiply-adds for an image "
        f"of {network.size}×{network.size}, {network.num_classes} classes",
        title_justify="left",
    )
    for column in ("layer", "kind"):
        table.add_column(column)
    for column in ("output", "parameters", "M multiply-adds"):
        table.add_column(column, justify="right")
    for layer in network.layers:
        shape = "×".join(str(side) for side in layer.shape)
        work = f"{layer.multiply_adds / 1e6:,.1f}" if layer.multiply_adds else ""
        name = layer.name.removeprefix("network.")
        table.add_row(name, layer.kind, shape, f"{layer.parameters:,}", work)
    return table


def _bounds(interval: "ConfidenceInterval", sign: str = "") -> str:
    return f"{interval.low:{sign}.4f} to {interval.high:{sign}.4f}"


def classes_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out the scores of each class that occurs."""
    table = Table(title="per class", title_justify="left")
    table.add_column("id", justify="right")
    table.add_column("class")
    for column in ("IoU", "accuracy", "share"):
        table.add_column(column, justify="right")
    for row in rows:
        if row["iou"] is not None:
            accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.3f}"
            table.add_row(
                str(row["id"]), row["name"], f"{row['iou']:.3f}", accuracy, f"{row['share']:.2%}"
            )
    return table


_NAMES = {
    "mIoU": "miou",
    "pixel accuracy": "pixel_accuracy",
    "mean accuracy": "mean_accuracy",
    "frequency-weighted IoU": "fwiou",
    "absent classes (not in the mean)": "classes_absent",
}
