"""Writes the section of `docs/results.md` on the ablations, "What helps"."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from accuracy.gains import Gain, compare_recipes, format_seeds
from accuracy.questions import BASE, CHANGES, QUESTIONS, Change
from accuracy.stored_results import Results, SeedResults, StoredResult, format_ranges, succeeded
from sceneparse.metrics.bootstrap import ScoreDifference
from table import made_on, markdown

HEADER = ("seeds", "mIoU", "gain (95 %)", "gain per seed", "gain in accuracy (95 %)", "time")
TITLES = {True: "change in training", False: "change in inference"}


class _Row(NamedTuple):
    """A row of the table, sorted by its gain."""

    gain: float
    cells: list[str]


def helps_section(results: Results) -> list[str]:
    """Return the lines of the section; none if the base was not run."""
    base = succeeded(results.get(BASE.name, {}))
    if not base:
        return []
    mious = [result.score.miou for result in base.values()]
    seed_range = max(mious) - min(mious) if len(mious) > 1 else math.nan
    runs = [
        result.run for name in (BASE.name, *CHANGES) for result in results.get(name, {}).values()
    ]
    return [
        *_introduction(list(base.values()), seed_range),
        *_table(results, seed_range, trains=True),
        *_table(results, seed_range, trains=False),
        *_missing(results),
        *made_on(runs),
    ]


def _introduction(base: Sequence[StoredResult], seed_range: float) -> list[str]:
    miou, accuracy = format_ranges(base)
    seeds = format_seeds(len(base))
    variation = (
        "The difference between seeds was not measured yet."
        if math.isnan(seed_range)
        else f"The mIoU of its seeds differs by up to {seed_range:.4f}."
    )
    return [
        "## What helps",
        "",
        "Each row is one change to `configs/ade20k/ablation.yaml`. It is scored on "
        f"{base[0].document['images']} held-out training images, which a",
        "digest of their names chooses, and never on the validation images. The base with "
        f"{seeds} has an mIoU of",
        f"{miou} and a pixel accuracy of {accuracy}. {variation}",
        "",
        "Rows are sorted by gain, over the base with the same seeds. Intervals are 95 % bootstrap "
        "confidence intervals over images (1,000 draws); they do not",
        "cover other seeds. Time is the time of training or of scoring, relative to the base on "
        "the same kind of machine.",
        "",
    ]


def _table(results: Results, seed_range: float, *, trains: bool) -> list[str]:
    rows = [
        _row(question.text, change, results, seed_range)
        for question in QUESTIONS
        for change in question.changes
        if change.trains is trains and change.name in results
    ]
    if not rows:
        return []
    rows.sort(key=lambda row: -row.gain)
    header = [TITLES[trains], *HEADER, "conclusion"]
    return [*markdown(header, [row.cells for row in rows]), ""]


def _row(question: str, change: Change, results: Results, seed_range: float) -> _Row:
    changed, base = results[change.name], results[BASE.name]
    label = f"{question} **{change.text}** (`{'`, `'.join(change.overrides)}`)"
    found = compare_recipes(_paths(base), _paths(changed))
    if found is None:
        runs = [result.run for result in changed.values()]
        failures = [run["failure"] for run in runs if "failure" in run]
        conclusion = f"failed: {failures[0]}" if failures else "the base was not run with this seed"
        return _Row(-math.inf, [label, *["–"] * len(HEADER), conclusion])
    time = _relative_time(base, changed, found, "training_s" if change.trains else "evaluation_s")
    return _Row(found.miou.gain.value, [label, *_scores(found), time, found.verdict(seed_range)])


def _paths(seeds: SeedResults) -> dict[int, Path]:
    return {seed: result.path for seed, result in succeeded(seeds).items()}


def _scores(found: Gain) -> list[str]:
    per_seed = ", ".join(f"{value:+.4f}" for value in found.per_seed)
    scores = (
        f"{found.after.miou:.4f}",
        _interval(found.miou),
        per_seed,
        _interval(found.pixel_accuracy),
    )
    return [str(len(found.seeds)), *scores]


def _interval(difference: ScoreDifference) -> str:
    value, low, high = difference.gain
    return f"{value:+.4f} ({low:+.4f} to {high:+.4f})"


def _relative_time(base: SeedResults, changed: SeedResults, found: Gain, key: str) -> str:
    pairs = [(changed[seed].run, base[seed].run) for seed in found.seeds]
    comparable = [pair for pair in pairs if len({run["machine"]["processor"] for run in pair}) == 1]
    changed_time, base_time = (sum(pair[side][key] for pair in comparable) for side in (0, 1))
    return f"× {changed_time / base_time:.2f}" if base_time else "–"


def _missing(results: Mapping[str, object]) -> list[str]:
    missing = [f"`{name}`" for name in CHANGES if name not in results]
    return [f"Not run yet: {', '.join(missing)}.", ""] if missing else []
