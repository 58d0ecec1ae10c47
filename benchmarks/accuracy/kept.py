"""Results as they are kept, read back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accuracy.gains import Score


class Kept(NamedTuple):
    """A result.

    Attributes:
        path: Its file.
        document: What is in it, but for single images.
    """

    path: Path
    document: Mapping[str, Any]

    @property
    def run(self) -> Mapping[str, Any]:
        """What was run."""
        return self.document["run"]

    @property
    def score(self) -> Score:
        """Its scores."""
        return Score(self.document["miou"], self.document["pixel_accuracy"])


# Of one name, by seed.
Seeds = Mapping[int, Kept]
# By name.
Results = Mapping[str, Seeds]


def read_results(folder: Path) -> Results:
    """Read all results of a folder."""
    kept: dict[str, dict[int, Kept]] = {}
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        found.pop("per_image", None)
        run = found["run"]
        kept.setdefault(run["name"], {})[run["seed"]] = Kept(path, found)
    return kept


def succeeded(seeds: Seeds) -> dict[int, Kept]:
    """Leave out what failed."""
    return {seed: kept for seed, kept in seeds.items() if "failure" not in kept.run}


def ranges(kept: Sequence[Kept]) -> list[str]:
    """Write each score: its mean over seeds, and the smallest and largest of them."""
    return [_range(column) for column in zip(*(one.score for one in kept), strict=True)]


def _range(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.4f}" + (f" ({min(values):.4f} to {max(values):.4f})" if values[1:] else "")
