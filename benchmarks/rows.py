"""Rows of results: the claim, the measurement, and whether the claim holds.

A ratio is a ratio of medians over all steps; its minimum and maximum are over single rounds. For
every ratio, larger is better.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import Runs
from machine import commit, machine
from sceneparse.system.device import cpu_has_bf16

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim about a benchmark.

    Attributes:
        benchmark: Name of the benchmark's file.
        peer: What ours is compared with.
        metric: The quantity that is measured.
        min_ratio: Smallest ratio at which the claim holds; none if the ratio is only reported.
        needs_bf16: Check the claim only on processors that multiply bf16 natively.
        limit: The limit of the machine that bounds ours, a metric of `limits.py`.
        amount: Smallest amount of work per unit of ours; amount ÷ limit is in seconds.
        ideal: Upper bound of the ratio, if there is one.
        seeds: Number of seeds.
        note: A remark for the reader.
    """

    benchmark: str
    peer: str
    metric: str
    min_ratio: float | None = None
    needs_bf16: bool = False
    limit: str | None = None
    amount: float | None = None
    ideal: float | None = None
    seeds: int = 1
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Row(Claim):
    """A claim with its measurements; `holds` is none if nothing is claimed on this machine."""

    unit: str
    ours: float | None
    theirs: float | None
    ratio: float | None
    ratio_min: float | None = None
    ratio_max: float | None = None
    repeats: int
    holds: bool | None
    commit: str | None
    machine: dict[str, Any]


def claim_on_device(claim: Claim, device: str | None) -> Claim:
    """Return the claim for a device; on a GPU, ratios are only reported."""
    if device is None:
        return claim
    return replace(claim, min_ratio=None, needs_bf16=False, limit=None, amount=None)


def speed(claim: Claim, ours: Runs, theirs: Runs | None, *, quick: bool = False) -> Row:
    """Compare seconds per unit."""
    return _compared(
        claim, "s", ours, theirs, lambda runs: (runs.median_s, _medians(runs)), quick=quick
    )


def memory(claim: Claim, ours: Runs, theirs: Runs | None, *, quick: bool = False) -> Row:
    """Compare peak memory in MB."""
    return _compared(
        claim,
        "MB",
        ours,
        theirs,
        lambda runs: (runs.peak_mb, [peak / 1e6 for peak in runs.peaks]),
        quick=quick,
    )


def make_row(
    claim: Claim,
    unit: str,
    ours: float | None,
    theirs: float | None,
    ratio: float | None,
    *,
    repeats: int = 1,
    quick: bool = False,
) -> Row:
    """Make a row from a ratio and its two figures."""
    holds = None
    if not quick and (cpu_has_bf16() or not claim.needs_bf16):
        holds = None if ratio is None or claim.min_ratio is None else ratio >= claim.min_ratio
    return Row(
        **asdict(claim),
        unit=unit,
        ours=ours,
        theirs=theirs,
        ratio=ratio,
        repeats=repeats,
        holds=holds,
        commit=commit(),
        machine=machine(),
    )


def report(benchmark: str, rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print a table and write the JSON."""
    print(f"\n{benchmark}")
    for row in rows:
        print("  " + _line(row))
    folder = options.out or (None if options.quick else RESULTS)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
        (folder / f"{benchmark}.json").write_text(text + "\n", encoding="utf-8")


def gigaflops(runs: Runs) -> float | None:
    """Return the operations of a step in 10⁹, if they were counted."""
    return None if runs.flops is None else runs.flops / 1e9


def _medians(runs: Runs) -> list[float]:
    return [statistics.median(part) for part in runs.seconds]


def _compared(
    claim: Claim,
    unit: str,
    ours: Runs,
    theirs: Runs | None,
    read: Callable[[Runs], tuple[float, list[float]]],
    *,
    quick: bool,
) -> Row:
    """Make a row of a quantity that is better if it is smaller."""
    our_value, our_rounds = read(ours)
    their_value, their_rounds = (None, []) if theirs is None else read(theirs)
    row = make_row(
        claim,
        unit,
        our_value,
        their_value,
        None if their_value is None else their_value / our_value,
        repeats=ours.repeats,
        quick=quick,
    )
    ratios = [their / our for our, their in zip(our_rounds, their_rounds, strict=False)]
    if not ratios:
        return row
    # Rows are frozen, so this makes a new one.
    return Row(**{**asdict(row), "ratio_min": min(ratios), "ratio_max": max(ratios)})


def _line(row: Row) -> str:
    parts = [f"{row.metric} against {row.peer}:"]
    parts += [f"ours {_figure(row.ours)} {row.unit}, theirs {_figure(row.theirs)} {row.unit},"]
    parts += [f"ratio {_figure(row.ratio)}"]
    if row.ratio_min is not None:
        parts += [f"({_figure(row.ratio_min)} to {_figure(row.ratio_max)})"]
    if row.min_ratio is not None:
        parts += [f"at least {row.min_ratio}: {_VERDICTS[row.holds]}"]
    return " ".join(parts)


_VERDICTS = {True: "holds", False: "DOES NOT HOLD", None: "reported"}


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
