"""Reads the stored results of the accuracy benchmarks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accuracy.gains import MeanScores


class StoredResult(NamedTuple):
    """A stored result.

    Attributes:
        path: Its file.
        document: Its content, without the counts of single images.
    """

    path: Path
    document: Mapping[str, Any]

    @property
    def run(self) -> Mapping[str, Any]:
        """The run: name, seed, settings, commit, machine, and what else was measured."""
        return self.document["run"]

    @property
    def score(self) -> MeanScores:
        """The scores of the run."""
        return MeanScores(self.document["miou"], self.document["pixel_accuracy"])


# Results of a change by seed.
SeedResults = Mapping[int, StoredResult]
# Results by the name of the change.
Results = Mapping[str, SeedResults]


def read_results(folder: Path) -> Results:
    """Read all results of a folder."""
    results: dict[str, dict[int, StoredResult]] = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        document.pop("per_image", None)
        run = document["run"]
        results.setdefault(run["name"], {})[run["seed"]] = StoredResult(path, document)
    return results


def succeeded(seeds: SeedResults) -> dict[int, StoredResult]:
    """Return the results of the runs that did not fail."""
    return {seed: result for seed, result in seeds.items() if "failure" not in result.run}


def format_ranges(results: Sequence[StoredResult]) -> list[str]:
    """Format each score as its mean over seeds, with minimum and maximum."""
    scores = zip(*(result.score for result in results), strict=True)
    return [_format_range(values) for values in scores]


def _format_range(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.4f}" + (f" ({min(values):.4f} to {max(values):.4f})" if values[1:] else "")
