"""The bootstrap against a slow reference, and what its intervals promise."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.metrics.bootstrap import Interval, differences, image_counts, intervals, scores
from sceneparse.metrics.scores import Scores, confusion_matrix

Confusions = list[NDArray[np.int64]]


def confusions(seed: int, images: int, wrong: float = 0.4) -> Confusions:
    """Confusion matrices of small images of up to 3 of 6 classes, the last of which is rare."""
    random = np.random.default_rng(seed)
    made: Confusions = []
    for _ in range(images):
        present = random.choice(6, 3, p=[0.3, 0.3, 0.2, 0.1, 0.08, 0.02])
        target = random.choice(present, (6, 6)).astype(np.uint8)
        target[random.random(target.shape) < 0.1] = 255
        guess = np.where(random.random(target.shape) < wrong, random.choice(present), target)
        made.append(confusion_matrix(guess.astype(np.uint8), target, 6, 255))
    return made


def counts_of(made: Confusions) -> NDArray[np.int64]:
    return np.stack([image_counts(matrix) for matrix in made])


def slow_draws(made: Confusions, resamples: int, seed: int) -> NDArray[np.float64]:
    """Score each draw from its summed confusion matrix, one draw after the other."""
    random = np.random.default_rng(seed)
    drawn: list[tuple[float, float]] = []
    for _ in range(resamples):
        chosen = random.integers(0, len(made), len(made))
        total = np.sum([made[place] for place in chosen], axis=0)
        result = Scores.from_confusion(total)
        drawn.append((result.miou, result.pixel_accuracy))
    return np.array(drawn).T


def slow_interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    return Interval(value, *np.quantile(drawn, [0.025, 0.975]))


def test_scores_of_counts_are_those_of_the_confusion_matrix() -> None:
    for seed in range(20):
        made = confusions(seed, 3)
        expected = Scores.from_confusion(np.sum(made, axis=0))
        miou, accuracy = scores(counts_of(made).sum(axis=0))
        assert miou == pytest.approx(expected.miou, abs=1e-12)
        assert accuracy == pytest.approx(expected.pixel_accuracy, abs=1e-12)


def test_intervals_agree_with_a_slow_reference() -> None:
    made = confusions(0, 12)
    expected = Scores.from_confusion(np.sum(made, axis=0))
    drawn = slow_draws(made, 230, 7)
    ours = intervals(counts_of(made), 230, 7)
    assert ours.miou == pytest.approx(slow_interval(expected.miou, drawn[0]))
    assert ours.pixel_accuracy == pytest.approx(slow_interval(expected.pixel_accuracy, drawn[1]))


def test_differences_are_paired_as_in_a_slow_reference() -> None:
    first, second = confusions(0, 12), confusions(0, 12, wrong=0.35)
    drawn = slow_draws(second, 150, 3) - slow_draws(first, 150, 3)
    ours = differences(counts_of(first), counts_of(second), 150, 3)
    totals = [Scores.from_confusion(np.sum(made, axis=0)) for made in (first, second)]
    gain = totals[1].miou - totals[0].miou
    assert ours.miou.gain == pytest.approx(slow_interval(gain, drawn[0]))
    assert ours.miou.superiority == pytest.approx(np.mean(drawn[0] > 0))


def test_nothing_differs_from_itself() -> None:
    counts = counts_of(confusions(0, 9))
    same = differences(counts, counts)
    assert same.miou.gain == same.pixel_accuracy.gain == (0, 0, 0)
    assert same.miou.superiority == same.pixel_accuracy.superiority == 0.5


def test_exchanging_the_two_exchanges_the_signs() -> None:
    first, second = counts_of(confusions(0, 9)), counts_of(confusions(1, 9))
    there, back = differences(first, second), differences(second, first)
    assert there.miou.gain.low == pytest.approx(-back.miou.gain.high)
    assert there.miou.superiority == pytest.approx(1 - back.miou.superiority)


def test_the_same_seed_gives_the_same_interval() -> None:
    counts = counts_of(confusions(0, 20))
    assert intervals(counts, seed=1) == intervals(counts, seed=1)
    assert intervals(counts, seed=1) != intervals(counts, seed=2)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # All images there are: 4000. Each sample of 60 of them should cover their accuracy.
    everything = counts_of(confusions(0, 4000))
    target = float(scores(everything.sum(axis=0))[1])
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        spread = intervals(everything[random.choice(4000, 60)], 300).pixel_accuracy
        covered += spread.low <= target <= spread.high
    assert 88 <= covered <= 100


def test_pairing_sees_what_two_intervals_do_not() -> None:
    # The second is right in one pixel more of every image; images differ much more than that.
    first = counts_of(confusions(0, 40))
    second = first.copy()
    second[:, 0, 0] += first[:, 1, 0] > first[:, 0, 0]
    second[:, 2, 0] += second[:, 0, 0] - first[:, 0, 0]
    apart = intervals(first).pixel_accuracy, intervals(second).pixel_accuracy
    assert apart[0].high > apart[1].low
    assert differences(first, second).pixel_accuracy.gain.low > 0


def test_images_of_nothing_but_void_score_nan() -> None:
    nothing = intervals(np.zeros((3, 3, 4), np.int64))
    assert all(math.isnan(value) for value in (*nothing.miou, *nothing.pixel_accuracy))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="first is"):
        differences(np.zeros((2, 3, 4), np.int64), np.zeros((3, 3, 4), np.int64))
