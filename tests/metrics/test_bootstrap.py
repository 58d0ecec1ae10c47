"""Tests of the bootstrap: a slow reference, pairing, and the coverage of its intervals."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.metrics.bootstrap import (
    ConfidenceInterval,
    bootstrap_differences,
    bootstrap_intervals,
    image_counts,
    miou_and_pixel_accuracy,
)
from sceneparse.metrics.scores import Scores, confusion_matrix

Confusions = list[NDArray[np.int64]]


def confusions(seed: int, images: int, wrong: float = 0.4) -> Confusions:
    """Make confusion matrices of small images with up to 3 of 6 classes; the last class is rare."""
    random = np.random.default_rng(seed)
    matrices: Confusions = []
    for _ in range(images):
        present = random.choice(6, 3, p=[0.3, 0.3, 0.2, 0.1, 0.08, 0.02])
        target = random.choice(present, (6, 6)).astype(np.uint8)
        target[random.random(target.shape) < 0.1] = 255
        prediction = np.where(random.random(target.shape) < wrong, random.choice(present), target)
        matrices.append(confusion_matrix(prediction.astype(np.uint8), target, 6, 255))
    return matrices


def counts_of(matrices: Confusions) -> NDArray[np.int64]:
    return np.stack([image_counts(matrix) for matrix in matrices])


def slow_resamples(matrices: Confusions, resamples: int, seed: int) -> NDArray[np.float64]:
    """Score each resample from its summed confusion matrix, one after the other."""
    random = np.random.default_rng(seed)
    resampled: list[tuple[float, float]] = []
    for _ in range(resamples):
        chosen = random.integers(0, len(matrices), len(matrices))
        total = np.sum([matrices[index] for index in chosen], axis=0)
        result = Scores.from_confusion(total)
        resampled.append((result.miou, result.pixel_accuracy))
    return np.array(resampled).T


def slow_interval(value: float, resampled: NDArray[np.float64]) -> ConfidenceInterval:
    return ConfidenceInterval(value, *np.quantile(resampled, [0.025, 0.975]))


def test_scores_of_counts_are_those_of_the_confusion_matrix() -> None:
    for seed in range(20):
        matrices = confusions(seed, 3)
        expected = Scores.from_confusion(np.sum(matrices, axis=0))
        miou, accuracy = miou_and_pixel_accuracy(counts_of(matrices).sum(axis=0))
        assert miou == pytest.approx(expected.miou, abs=1e-12)
        assert accuracy == pytest.approx(expected.pixel_accuracy, abs=1e-12)


def test_intervals_agree_with_a_slow_reference() -> None:
    matrices = confusions(0, 12)
    expected = Scores.from_confusion(np.sum(matrices, axis=0))
    resampled = slow_resamples(matrices, 230, 7)
    ours = bootstrap_intervals(counts_of(matrices), 230, 7)
    assert ours.miou == pytest.approx(slow_interval(expected.miou, resampled[0]))
    assert ours.pixel_accuracy == pytest.approx(
        slow_interval(expected.pixel_accuracy, resampled[1])
    )


def test_differences_are_paired_as_in_a_slow_reference() -> None:
    first, second = confusions(0, 12), confusions(0, 12, wrong=0.35)
    resampled = slow_resamples(second, 150, 3) - slow_resamples(first, 150, 3)
    ours = bootstrap_differences(counts_of(first), counts_of(second), 150, 3)
    totals = [Scores.from_confusion(np.sum(matrices, axis=0)) for matrices in (first, second)]
    gain = totals[1].miou - totals[0].miou
    assert ours.miou.gain == pytest.approx(slow_interval(gain, resampled[0]))
    assert ours.miou.superiority == pytest.approx(np.mean(resampled[0] > 0))


def test_equal_counts_have_zero_differences() -> None:
    counts = counts_of(confusions(0, 9))
    same = bootstrap_differences(counts, counts)
    assert same.miou.gain == same.pixel_accuracy.gain == (0, 0, 0)
    assert same.miou.superiority == same.pixel_accuracy.superiority == 0.5


def test_swapping_the_arguments_negates_the_difference() -> None:
    first, second = counts_of(confusions(0, 9)), counts_of(confusions(1, 9))
    there, back = bootstrap_differences(first, second), bootstrap_differences(second, first)
    assert there.miou.gain.low == pytest.approx(-back.miou.gain.high)
    assert there.miou.superiority == pytest.approx(1 - back.miou.superiority)


def test_the_same_seed_gives_the_same_interval() -> None:
    counts = counts_of(confusions(0, 20))
    assert bootstrap_intervals(counts, seed=1) == bootstrap_intervals(counts, seed=1)
    assert bootstrap_intervals(counts, seed=1) != bootstrap_intervals(counts, seed=2)


def test_a_95_percent_interval_covers_the_population_score_in_95_percent_of_samples() -> None:
    # The population has 4000 images; intervals of samples of 60 should cover its accuracy.
    everything = counts_of(confusions(0, 4000))
    target = float(miou_and_pixel_accuracy(everything.sum(axis=0))[1])
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        spread = bootstrap_intervals(everything[random.choice(4000, 60)], 300).pixel_accuracy
        covered += spread.low <= target <= spread.high
    assert 88 <= covered <= 100


def test_paired_differences_detect_a_gain_that_separate_intervals_miss() -> None:
    # The second model gets one pixel more per image, far less than images differ by.
    first = counts_of(confusions(0, 40))
    second = first.copy()
    second[:, 0, 0] += first[:, 1, 0] > first[:, 0, 0]
    second[:, 2, 0] += second[:, 0, 0] - first[:, 0, 0]
    apart = bootstrap_intervals(first).pixel_accuracy, bootstrap_intervals(second).pixel_accuracy
    assert apart[0].high > apart[1].low
    assert bootstrap_differences(first, second).pixel_accuracy.gain.low > 0


def test_images_without_labelled_pixels_score_nan() -> None:
    nothing = bootstrap_intervals(np.zeros((3, 3, 4), np.int64))
    assert all(math.isnan(value) for value in (*nothing.miou, *nothing.pixel_accuracy))


def test_counts_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="first is"):
        bootstrap_differences(np.zeros((2, 3, 4), np.int64), np.zeros((3, 3, 4), np.int64))
