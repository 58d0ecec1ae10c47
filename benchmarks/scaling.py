"""Time and memory for 1× to 16× the images, pixels and classes; growth is at most linear.

The exponent of growth is fitted over 4×, 8× and 16×, where constant costs matter least; 1 is
linear. The script writes a plot and a JSON file.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import evaluate_2100
import fused_loss
import material
from harness import Repeats, Side, alternate, parser
from machine import ROOT
from rows import Claim, Row, make_row, report
from sceneparse.metrics.scores import confusion_matrix
from training import STRIDE_4, trainer

NAME = "scaling"
PLOT = ROOT / "docs" / "images" / "scaling.png"
FACTORS = (1, 2, 4, 8, 16)
MAX_EXPONENT = 1.15  # above 1, because of noise and of caches that overflow
AXES = ("images", "pixels", "classes")
# Smaller peaks are noise of the allocator.
MIN_BYTES = 2**20


@dataclass(frozen=True)
class Size:
    """The size of the input of a step."""

    images: int
    height: int
    width: int
    classes: int

    def times(self, axis: str, factor: int) -> "Size":
        """Multiply the size along an axis; pixels grow in width and in height."""
        if axis != "pixels":
            return replace(self, **{axis: getattr(self, axis) * factor})
        width_factor = 2 ** ((factor.bit_length()) // 2)
        return replace(
            self, width=self.width * width_factor, height=self.height * factor // width_factor
        )


def training_step(images: int, height: int, width: int, classes: int) -> Callable[[], Any]:
    """Prepare a step of the Lite0 U-Net."""
    ready = trainer("lite0", [*STRIDE_4, "model.weights=none"], classes=classes)
    batch = material.batch(images, height, width, classes)
    return lambda: float(ready.step(batch))


def loss(images: int, height: int, width: int, classes: int) -> Callable[[], Any]:
    """Prepare loss and gradient from features at stride 4."""
    return fused_loss.ours(images, height, width, classes)


def label_map(images: int, height: int, width: int, classes: int) -> Callable[[], Any]:
    """Prepare label map and confusion matrix of each image."""
    step = evaluate_2100.ours(height, width, classes)

    def all_images() -> None:
        for _ in range(images):
            step()

    return all_images


def confusion(images: int, height: int, width: int, classes: int) -> Callable[[], Any]:
    """Prepare the confusion matrix of a stack of images."""
    target = material.mask((images, height, width), classes)
    prediction = material.mask((images, height, width), classes, seed=1)
    return lambda: confusion_matrix(prediction, target, classes, 255)


SIZES = {
    "training_step": Size(2, 128, 128, 15),
    "loss": Size(1, 256, 256, 15),
    "label_map": Size(1, 512, 512, 15),
    "confusion": Size(1, 512, 512, 15),
}
QUICK, QUICK_FACTORS = Size(2, 32, 32, 2), (1, 4)


def main() -> None:
    """Measure, plot and report."""
    options = parser(__doc__)
    options.add_argument("--plot", type=Path, help="PNG to write (default: in docs/images)")
    chosen = options.parse_args()
    rows: list[Row] = []
    curves: dict[tuple[str, str, str], list[float]] = {}
    for work in SIZES:
        for axis in AXES:
            seconds, peaks = _measure_growth(work, axis, chosen)
            curves[work, axis, "time"], curves[work, axis, "memory"] = seconds, peaks
            rows += [
                _row(work, axis, "time", seconds, chosen),
                _row(work, axis, "memory", peaks, chosen),
            ]
    report(NAME, rows, chosen)
    path = chosen.plot or (None if chosen.quick else PLOT)
    if path is not None:
        _plot(curves, path, QUICK_FACTORS if chosen.quick else FACTORS)


def exponent(factors: Sequence[int], values: Sequence[float]) -> float:
    """Fit the exponent of growth over the three largest factors."""
    fitted = np.polyfit(np.log2(factors[-3:]), np.log2(values[-3:]), 1)[0]
    return round(float(fitted), 3) + 0.0  # no negative zero


def _measure_growth(
    work: str, axis: str, options: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Measure seconds and bytes for each factor, each in a process of its own."""
    base = QUICK if options.quick else SIZES[work]
    factors = QUICK_FACTORS if options.quick else FACTORS
    sides = {str(factor): Side(work, asdict(base.times(axis, factor))) for factor in factors}
    repeats = Repeats(rounds=1, warmup=1, timed=5)
    runs = alternate(NAME, sides, repeats, quick=options.quick)
    seconds = [measured.median_s for measured in runs.values()]
    peaks = [float(max(MIN_BYTES, *measured.peaks)) for measured in runs.values()]
    return seconds, peaks


def _row(work: str, axis: str, what: str, values: list[float], options: argparse.Namespace) -> Row:
    factors = QUICK_FACTORS if options.quick else FACTORS
    fitted = exponent(factors, values)
    name = work.replace("_", " ")
    unit = "s" if what == "time" else "B"
    points = ", ".join(
        f"{factor}×: {value:.4g}" for factor, value in zip(factors, values, strict=True)
    )
    claim = Claim(
        benchmark=NAME,
        peer=f"exponent {MAX_EXPONENT}",
        metric=f"{what} of {name} by {axis}",
        min_ratio=1,
        note=f"{unit} at {points}",
    )
    # The exponent is 0 or below if nothing grows; the ratio needs a positive one.
    ratio = MAX_EXPONENT / max(fitted, 0.01)
    return make_row(claim, "exponent", fitted, MAX_EXPONENT, ratio, quick=options.quick)


def _plot(
    curves: dict[tuple[str, str, str], list[float]], path: Path, factors: Sequence[int]
) -> None:
    """Draw growth relative to 1× on logarithmic axes; a dashed line marks linear growth."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        2, len(AXES), figsize=(10, 6.5), sharex=True, sharey=True, layout="constrained"
    )
    markers = dict(zip(SIZES, "osD^", strict=True))
    for row, what in enumerate(("time", "memory")):
        for column, axis in enumerate(AXES):
            panel = panels[row][column]
            panel.plot(factors, factors, "--", color="0.6", label="linear")
            for work, marker in markers.items():
                values = curves[work, axis, what]
                relative = [value / values[0] for value in values]
                label = f"{work.replace('_', ' ')}: {exponent(factors, values):.2f}"
                panel.plot(factors, relative, marker=marker, markersize=5, label=label)
            panel.set_xscale("log", base=2)
            panel.set_yscale("log", base=2)
            panel.set_xticks(factors, [f"{factor}×" for factor in factors])
            panel.set_yticks(factors, [f"{factor}×" for factor in factors])
            panel.grid(color="0.9")
            panel.legend(fontsize=8, title="exponent", title_fontsize=8)
            panel.set_title(f"{what} by {axis}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
