"""The difference between two recipes, measured with one or several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sceneparse.errors import InputError
from sceneparse.metrics.bootstrap import (
    ImageCounts,
    ScoreDifference,
    bootstrap_differences,
    miou_and_pixel_accuracy,
)
from sceneparse.metrics.comparison import ScoreFile, read_score_file

# From this number on, the verdict is about seeds too.
ENOUGH_SEEDS = 3


class MeanScores(NamedTuple):
    """mIoU and pixel accuracy."""

    miou: float
    pixel_accuracy: float


@dataclass(frozen=True)
class Gain:
    """The gain of a recipe over a base recipe.

    Attributes:
        seeds: Seeds with which both recipes were run.
        after: Mean scores of the recipe over these seeds.
        miou: Gain in mIoU, with a bootstrap confidence interval over images.
        pixel_accuracy: Gain in pixel accuracy, with its interval.
        per_seed: Gain in mIoU with each seed.
    """

    seeds: tuple[int, ...]
    after: MeanScores
    miou: ScoreDifference
    pixel_accuracy: ScoreDifference
    per_seed: tuple[float, ...]

    def verdict(self, seed_range: float) -> str:
        """Describe in words what the measurement shows.

        Args:
            seed_range: Difference between the largest and the smallest mIoU of the base over
                seeds; NaN if only one was run.
        """
        low, high = self.miou.gain.low, self.miou.gain.high
        if low <= 0 <= high:
            return "no significant difference on these images"
        word = "helps" if low > 0 else "hurts"
        if len(self.seeds) < ENOUGH_SEEDS:
            is_larger = abs(self.miou.gain.value) > seed_range
            comparison = "larger" if is_larger else "not larger"
            return (
                f"{word} with {format_seeds(len(self.seeds))}; {comparison} than the difference "
                "between seeds"
            )
        same_sign = all((gain > 0) == (low > 0) for gain in self.per_seed)
        return f"{word} with every seed" if same_sign else f"{word} on average, not with every seed"


def compare_recipes(base: dict[int, Path], change: dict[int, Path]) -> Gain | None:
    """Compare two recipes on the seeds that both were run with; none if there are none.

    The mean over seeds is a mean over the classes of all seeds, which share each bootstrap draw of
    the images.

    Args:
        base: Score file of each seed of the base recipe.
        change: Score file of each seed of the changed recipe.

    Raises:
        InputError: If the runs were scored on different images.
    """
    seeds = tuple(sorted(base.keys() & change.keys()))
    if not seeds:
        return None
    files = [[read_score_file(recipe[seed]) for seed in seeds] for recipe in (base, change)]
    _check_same_images([file for part in files for file in part])
    first, second = ([file.counts for file in part] for part in files)
    both = bootstrap_differences(np.concatenate(first, axis=2), np.concatenate(second, axis=2))
    before, after = ([_score(counts) for counts in part] for part in (first, second))
    return Gain(
        seeds=seeds,
        after=mean_scores(after),
        miou=both.miou,
        pixel_accuracy=both.pixel_accuracy,
        per_seed=tuple(new.miou - old.miou for old, new in zip(before, after, strict=True)),
    )


def mean_scores(found: Sequence[MeanScores]) -> MeanScores:
    """Return the mean of each score over runs."""
    return MeanScores(*(float(value) for value in np.mean(found, axis=0)))


def _score(counts: ImageCounts) -> MeanScores:
    miou, accuracy = miou_and_pixel_accuracy(counts.sum(axis=0))
    return MeanScores(float(miou), float(accuracy))


def _check_same_images(files: Sequence[ScoreFile]) -> None:
    first, *others = files
    for file in others:
        same: Any = file.names == first.names and file.ids == first.ids
        if not same or (file.counts[:, 2] != first.counts[:, 2]).any():
            raise InputError(
                f"{file.path}: found scores of other images than those of {first.path.name}; run "
                "the benchmark again on the same images"
            )


def format_seeds(count: int) -> str:
    """Format a number of seeds."""
    return "one seed" if count == 1 else f"{count} seeds"
