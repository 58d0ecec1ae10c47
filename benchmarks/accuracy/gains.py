"""What several seeds of two recipes say about their difference."""

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

# So many seeds are taken to tell of seeds.
ENOUGH_SEEDS = 3


class Score(NamedTuple):
    """mIoU and pixel accuracy."""

    miou: float
    pixel_accuracy: float


@dataclass(frozen=True)
class Gain:
    """How much better one recipe is than another.

    Attributes:
        seeds: Those that both were run with.
        after: Its mean scores over them.
        miou: Its gain in mIoU, with an interval over images.
        pixel_accuracy: The same in pixel accuracy.
        of_each: Gain in mIoU of each seed.
    """

    seeds: tuple[int, ...]
    after: Score
    miou: ScoreDifference
    pixel_accuracy: ScoreDifference
    of_each: tuple[float, ...]

    def verdict(self, spread: float) -> str:
        """Say in words what is known.

        Args:
            spread: How far apart runs of the base lie that differ in their seed alone; NaN where
                that is not known.
        """
        low, high = self.miou.gain.low, self.miou.gain.high
        if low <= 0 <= high:
            return "no difference that these images show"
        word = "helps" if low > 0 else "hurts"
        if len(self.seeds) < ENOUGH_SEEDS:
            beyond = abs(self.miou.gain.value) > spread
            doubt = (
                "more than another seed changes" if beyond else "another seed may change as much"
            )
            return f"{word} with {_seeds(len(self.seeds))}; {doubt}"
        same = all((gain > 0) == (low > 0) for gain in self.of_each)
        return f"{word}, with every seed" if same else f"{word} on average, not with every seed"


def gain(base: dict[int, Path], change: dict[int, Path]) -> Gain | None:
    """Compare two recipes on the seeds that both have; none if there is no such seed.

    The mean over seeds is that over all classes of all seeds: the classes of each seed are put
    beside each other, and a draw of the images is the same for all.

    Raises:
        InputError: If they were scored on different images.
    """
    seeds = tuple(sorted(base.keys() & change.keys()))
    if not seeds:
        return None
    files = [[read_score_file(of[seed]) for seed in seeds] for of in (base, change)]
    _check_same([file for part in files for file in part])
    first, second = ([file.counts for file in part] for part in files)
    both = bootstrap_differences(np.concatenate(first, axis=2), np.concatenate(second, axis=2))
    before, after = ([_score(counts) for counts in part] for part in (first, second))
    return Gain(
        seeds=seeds,
        after=mean_score(after),
        miou=both.miou,
        pixel_accuracy=both.pixel_accuracy,
        of_each=tuple(new.miou - old.miou for old, new in zip(before, after, strict=True)),
    )


def mean_score(found: Sequence[Score]) -> Score:
    """Return the mean of each score."""
    return Score(*(float(value) for value in np.mean(found, axis=0)))


def _score(counts: ImageCounts) -> Score:
    miou, accuracy = miou_and_pixel_accuracy(counts.sum(axis=0))
    return Score(float(miou), float(accuracy))


def _check_same(files: Sequence[ScoreFile]) -> None:
    first, *others = files
    for file in others:
        same: Any = file.names == first.names and file.ids == first.ids
        if not same or (file.counts[:, 2] != first.counts[:, 2]).any():
            raise InputError(
                f"{file.path}: scores of other images than {first.path.name}; run it again on "
                "the same ones"
            )


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
