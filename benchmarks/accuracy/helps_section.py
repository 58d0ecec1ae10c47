"""The section of `docs/results.md` on what helps."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from accuracy.gains import Gain, gain
from accuracy.kept import Kept, Results, Seeds, ranges, succeeded
from accuracy.questions import BASE, CHANGES, QUESTIONS, Change
from sceneparse.metrics.bootstrap import ScoreDifference
from table import made_on, markdown

HEAD = ("seeds", "mIoU", "gain (95 %)", "of each seed", "gain in accuracy (95 %)", "time")
TITLES = {True: "trained", False: "the trained base, seen otherwise"}


class _Row(NamedTuple):
    """A row, and what rows are sorted by."""

    worth: float
    cells: list[str]


def helps_section(results: Results) -> list[str]:
    """Return its lines; none without a base."""
    base = succeeded(results.get(BASE.name, {}))
    if not base:
        return []
    mious = [kept.score.miou for kept in base.values()]
    spread = max(mious) - min(mious) if len(mious) > 1 else math.nan
    runs = [kept.run for name in (BASE.name, *CHANGES) for kept in results.get(name, {}).values()]
    return [
        *_introduction(list(base.values()), spread),
        *_table(results, spread, trains=True),
        *_table(results, spread, trains=False),
        *_missing(results),
        *made_on(runs),
    ]


def _introduction(base: Sequence[Kept], spread: float) -> list[str]:
    miou, accuracy = ranges(base)
    seeds = "one seed" if len(base) == 1 else f"{len(base)} seeds"
    apart = (
        "How far apart two seeds of it lie was not measured yet."
        if math.isnan(spread)
        else f"Runs of it that differ in the seed alone lie up to {spread:.4f} mIoU apart."
    )
    return [
        "## What helps",
        "",
        "One change at a time to `configs/ade20k/ablation.yaml`, scored on training images held "
        "out, never on validation:",
        f"{base[0].document['images']} of them, chosen by a digest of their names. The base, "
        f"{seeds}: mIoU {miou}, pixel accuracy {accuracy}.",
        apart,
        "",
        "Each change comes with the base of the same seeds, the largest gain first. Intervals hold "
        "95 % of 1,000 draws of the images, the same",
        "for both; they tell nothing about other seeds. Time is that of the base on such a machine "
        "times so much: to train, or to score.",
        "",
    ]


def _table(results: Results, spread: float, *, trains: bool) -> list[str]:
    rows = [
        _row(question.words, change, results, spread)
        for question in QUESTIONS
        for change in question.changes
        if change.trains is trains and change.name in results
    ]
    if not rows:
        return []
    rows.sort(key=lambda row: -row.worth)
    head = [TITLES[trains], *HEAD, "which means"]
    return [*markdown(head, [row.cells for row in rows]), ""]


def _row(words: str, change: Change, results: Results, spread: float) -> _Row:
    own, base = results[change.name], results[BASE.name]
    label = f"{words} **{change.words}** (`{'`, `'.join(change.overrides)}`)"
    found = gain(_paths(base), _paths(own))
    if found is None:
        failures = [kept.run["failure"] for kept in own.values() if "failure" in kept.run]
        means = f"failed: {failures[0]}" if failures else "the base was not run with this seed"
        return _Row(-math.inf, [label, *["–"] * len(HEAD), means])
    time = _time(base, own, found, "training_s" if change.trains else "evaluation_s")
    return _Row(found.miou.gain.value, [label, *_figures(found), time, found.verdict(spread)])


def _paths(seeds: Seeds) -> dict[int, Path]:
    return {seed: kept.path for seed, kept in succeeded(seeds).items()}


def _figures(found: Gain) -> list[str]:
    each = ", ".join(f"{value:+.4f}" for value in found.of_each)
    means = (
        f"{found.after.miou:.4f}",
        _interval(found.miou),
        each,
        _interval(found.pixel_accuracy),
    )
    return [str(len(found.seeds)), *means]


def _interval(difference: ScoreDifference) -> str:
    value, low, high = difference.gain
    return f"{value:+.4f} ({low:+.4f} to {high:+.4f})"


def _time(base: Seeds, own: Seeds, found: Gain, key: str) -> str:
    pairs = [(own[seed].run, base[seed].run) for seed in found.seeds]
    alike = [pair for pair in pairs if len({run["machine"]["processor"] for run in pair}) == 1]
    mine, other = (sum(pair[of][key] for pair in alike) for of in (0, 1))
    return f"× {mine / other:.2f}" if other else "–"


def _missing(results: Mapping[str, object]) -> list[str]:
    missing = [f"`{name}`" for name in CHANGES if name not in results]
    return [f"Not run yet: {', '.join(missing)}.", ""] if missing else []
