"""Rows of results: what is claimed, what was measured, and whether it holds.

A ratio is one of medians over all steps; its smallest and largest value are those of single
rounds. Every ratio is larger-is-better.
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
    """What a row is about.

    Attributes:
        benchmark: Name of the file.
        peer: What ours is compared with.
        metric: What is measured.
        at_least: The ratio that must hold; none where it is only reported.
        rests_on_bf16: Held only on processors that multiply bf16 natively; reported elsewhere.
        limit: Name of the machine's limit that bounds ours, a metric of `limits.py`.
        amount: How much of it a unit of ours needs at least, so that amount ÷ limit is in seconds.
        ideal: The ratio that cannot be exceeded, where there is one.
        seeds: How many.
        note: What else a reader should know.
    """

    benchmark: str
    peer: str
    metric: str
    at_least: float | None = None
    rests_on_bf16: bool = False
    limit: str | None = None
    amount: float | None = None
    ideal: float | None = None
    seeds: int = 1
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Row(Claim):
    """A claim with its figures; `holds` is none where nothing is claimed on this machine."""

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


def claimed(claim: Claim, device: str | None) -> Claim:
    """Return what is claimed on a device: nothing but where `make bench` measures, on the CPU."""
    if device is None:
        return claim
    return replace(claim, at_least=None, rests_on_bf16=False, limit=None, amount=None)


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


def stated(
    claim: Claim,
    unit: str,
    ours: float | None,
    theirs: float | None,
    ratio: float | None,
    *,
    repeats: int = 1,
    quick: bool = False,
) -> Row:
    """Make a row of figures that are neither seconds nor memory."""
    holds = None
    if not quick and (cpu_has_bf16() or not claim.rests_on_bf16):
        holds = None if ratio is None or claim.at_least is None else ratio >= claim.at_least
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
    """Return the 10⁹ operations of a step, where they were counted."""
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
    """Make a row of something of which less is better."""
    our_value, our_rounds = read(ours)
    their_value, their_rounds = (None, []) if theirs is None else read(theirs)
    row = stated(
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
    # A frozen row is made anew rather than changed.
    return Row(**{**asdict(row), "ratio_min": min(ratios), "ratio_max": max(ratios)})


def _line(row: Row) -> str:
    parts = [f"{row.metric} against {row.peer}:"]
    parts += [f"ours {_figure(row.ours)} {row.unit}, theirs {_figure(row.theirs)} {row.unit},"]
    parts += [f"ratio {_figure(row.ratio)}"]
    if row.ratio_min is not None:
        parts += [f"({_figure(row.ratio_min)} to {_figure(row.ratio_max)})"]
    if row.at_least is not None:
        parts += [f"at least {row.at_least}: {_VERDICTS[row.holds]}"]
    return " ".join(parts)


_VERDICTS = {True: "holds", False: "DOES NOT HOLD", None: "reported"}


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
