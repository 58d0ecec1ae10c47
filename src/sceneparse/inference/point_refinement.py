"""Logits of a picture made finer step by step, by a head for the places that are not sure.

The subdivision of PointRend (Kirillov et al., 2020, section 3.1): the grid is doubled, and where
its logits are least sure, they are replaced by those of the head. Most pixels of a fine grid lie
inside of something, where upsampling is right, so there is little to compute. As for other
refinements the grid holds only the classes that occur in the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Counts, LabelMap, PointBackend
from sceneparse.inference.grid import log, resampled, softmax
from sceneparse.inference.refinement import Refined, occurring, working_size
from sceneparse.inference.resize import CoveredLogits, Resize
from sceneparse.inference.views import View, add_view, logits_of_view
from sceneparse.labels import Mask

Floats = NDArray[np.float32]


class Look(NamedTuple):
    """What one view saw of a picture.

    Attributes:
        features: `(D, h, w)`.
        covered: Rows and columns of cells that the picture takes up.
        mirrored: Whether left and right were exchanged.
    """

    features: Floats
    covered: tuple[float, float]
    mirrored: bool


class Seen(NamedTuple):
    """What all views saw of a picture.

    Attributes:
        answer: Its logits, as without a point head.
        looks: What they come from, where a point head is going to be asked.
    """

    answer: CoveredLogits
    looks: Sequence[Look] = ()


@dataclass(frozen=True)
class PointRefinement:
    """Doubles the grid, and asks a point head about the cells that are least sure.

    Attributes:
        backend: The network.
        points: Cells that are replaced in each step.
        steps: Most doublings; there are fewer where the size of the picture is reached before.
        most_bytes: Memory to take; the finest grid is as large as it allows.
    """

    backend: PointBackend
    points: int = 8192
    steps: int = 3
    most_bytes: int = 256 * 2**20

    def __str__(self) -> str:
        """Say what is done, as printed with scores."""
        return f"point head, {self.points} points in each of {self.steps} steps at most"

    def seen(
        self, images: Sequence[NDArray[np.uint8]], resize: Resize, views: Sequence[View]
    ) -> list[Seen]:
        """Let the network see pictures `(H, W, 3)`.

        Windows are blended in features as they are in logits: the head between them is linear, so
        the features say the same as the logits.
        """
        means: list[CoveredLogits] = []
        looks: list[list[Look]] = [[] for _ in images]
        for view in views:
            both = logits_of_view(images, _BothOf(self.backend), resize, view)
            answers = [
                self._split(answer, view, own) for answer, own in zip(both, looks, strict=True)
            ]
            if tuple(views) == (View(view.scale),):
                means = answers
                break
            means = means or [
                CoveredLogits(np.zeros_like(logits), covered) for logits, covered in answers
            ]
            for mean, answer in zip(means, answers, strict=True):
                add_view(mean, answer, mirrored=view.mirrored, share=1 / len(views))
        else:
            means = [CoveredLogits(log(mean.logits), mean.covered) for mean in means]
        return [Seen(mean, own) for mean, own in zip(means, looks, strict=True)]

    def _split(self, both: CoveredLogits, view: View, looks: list[Look]) -> CoveredLogits:
        """Keep the features with the other looks, and return the logits."""
        logits, features = np.split(both.logits, [self.backend.num_classes])
        looks.append(Look(features, both.covered, view.mirrored))
        return CoveredLogits(logits, both.covered)

    def __call__(self, seen: Seen, size: tuple[int, int]) -> Refined:
        """Refine what was seen of a picture of a height and width."""
        kept = occurring(seen.answer)
        logits = log(kept.probabilities)
        classes = len(kept.classes)
        # The grid, the one before, what lies between them while it is upsampled, and the margins;
        # a quarter of the budget is for the answers of the head.
        finest = working_size(size, 4 * (2 * classes + 8), 3 * self.most_bytes // 4)
        for _ in range(self.steps if classes > 1 else 0):
            before = (logits.shape[1], logits.shape[2])
            after = _doubled(before, finest)
            if after == before:
                break
            logits = resampled(logits, before, after, after)
            cells = logits.reshape(classes, -1)
            for unsure in self._parts(least_sure(logits, self.points)):
                cells[:, unsure] = self._asked(seen.looks, _places(unsure, after), kept.classes)
        return Refined(logits, kept.classes, kept.left_out)

    def _parts(self, cells: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Cut cells into parts of which the answers fit the budget."""
        at_once = max(1, self.most_bytes // (64 * self.backend.num_classes))
        return np.array_split(cells, -(-len(cells) // at_once))

    def _asked(self, looks: Sequence[Look], places: Floats, classes: NDArray[np.int64]) -> Floats:
        """Ask the point head about places, for each look; the probabilities are averaged."""
        answers: list[Floats] = []
        for features, covered, mirrored in looks:
            where = np.stack([1 - places[:, 0], places[:, 1]], axis=1) if mirrored else places
            answers.append(self.backend.logits_at(features, covered, where))
        if len(answers) == 1:
            return answers[0][classes]
        total = sum(
            (softmax(answer)[classes] for answer in answers[1:]), softmax(answers[0])[classes]
        )
        return log(total / np.float32(len(answers)))


def least_sure(logits: Floats, most: int) -> NDArray[np.intp]:
    """Find the cells of `(K, h, w)` whose best logit is least above the second, at most so many.

    Returns:
        Their numbers, counted row by row, in rising order.
    """
    best, second = np.maximum(logits[0], logits[1]), np.minimum(logits[0], logits[1])
    for plane in logits[2:]:
        np.maximum(second, np.minimum(best, plane), out=second)
        np.maximum(best, plane, out=best)
    margin = np.subtract(best, second, out=best).ravel()
    if margin.size <= most:
        return np.arange(margin.size)
    return np.sort(np.argpartition(margin, most - 1)[:most])


def _doubled(size: tuple[int, int], finest: tuple[int, int]) -> tuple[int, int]:
    """Double each side as far as the finest grid goes; none gets shorter."""
    rows, columns = (max(now, min(2 * now, most)) for now, most in zip(size, finest, strict=True))
    return rows, columns


def _places(cells: NDArray[np.intp], size: tuple[int, int]) -> Floats:
    """Return the middles of cells, across and down in 0..1, `(P, 2)`."""
    down, across = np.divmod(cells, size[1])
    middles = np.stack([(across + 0.5) / size[1], (down + 0.5) / size[0]], axis=1)
    return middles.astype(np.float32)


class _BothOf:
    """A backend whose logits have the features below them, so that both are sized alike."""

    def __init__(self, backend: PointBackend) -> None:
        self.num_classes = backend.num_classes + backend.num_features
        self.input_stride = backend.input_stride
        self.output_stride = backend.output_stride
        self.logits = backend.logits_and_features
        self._backend = backend

    def label_map(
        self, logits: Floats, covered: tuple[float, float], size: tuple[int, int]
    ) -> LabelMap:
        """Decide as the backend does."""
        return self._backend.label_map(logits, covered, size)

    def score(self, logits: Floats, covered: tuple[float, float], truth: Mask) -> Counts:
        """Count as the backend does."""
        return self._backend.score(logits, covered, truth)
