"""Tests of the scores: a slow reference, and the rules of the benchmark's protocol."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.metrics.scores import Scores, confusion_matrix

IGNORE = 255


def slow_scores(
    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]], num_classes: int
) -> dict[str, float]:
    """Compute the scores pixel by pixel and class by class."""
    correct = [0] * num_classes
    true = [0] * num_classes
    predicted = [0] * num_classes
    for target, prediction in pairs:
        for target_class, predicted_class in zip(
            target.ravel().tolist(), prediction.ravel().tolist(), strict=True
        ):
            if target_class == IGNORE:
                continue
            true[target_class] += 1
            correct[target_class] += target_class == predicted_class
            if predicted_class < num_classes:
                predicted[predicted_class] += 1
    ious = {
        c: correct[c] / (true[c] + predicted[c] - correct[c])
        for c in range(num_classes)
        if true[c] + predicted[c]
    }
    accuracies = [correct[c] / true[c] for c in range(num_classes) if true[c]]
    return {
        "miou": sum(ious.values()) / len(ious),
        "pixel_accuracy": sum(correct) / sum(true),
        "mean_accuracy": sum(accuracies) / len(accuracies),
        "fwiou": sum(ious.get(c, 0) * true[c] for c in range(num_classes)) / sum(true),
        "classes_absent": num_classes - len(ious),
    }


def random_pairs(seed: int, num_classes: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    random = np.random.default_rng(seed)
    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for _ in range(4):
        size = tuple(random.integers(3, 20, 2))
        target = random.integers(0, num_classes - 1, size).astype(np.uint8)
        target[random.random(size) < 0.2] = IGNORE
        prediction = np.where(random.random(size) < 0.5, target, random.integers(0, 12, size))
        pairs.append((target, prediction.astype(np.uint8)))
    return pairs


def summed_confusion(
    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]], num_classes: int
) -> NDArray[np.int64]:
    matrices = [confusion_matrix(p, t, num_classes, IGNORE) for t, p in pairs]
    return np.sum(matrices, axis=0)


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_a_slow_reference(seed: int) -> None:
    pairs = random_pairs(seed, 9)
    summary = Scores.from_confusion(summed_confusion(pairs, 9)).summary()
    for name, value in slow_scores(pairs, 9).items():
        assert summary[name] == pytest.approx(value, abs=1e-12), name


def test_ignored_pixels_change_no_score() -> None:
    pairs = random_pairs(0, 9)
    other = [(t, np.where(t == IGNORE, 3, p).astype(np.uint8)) for t, p in pairs]
    np.testing.assert_array_equal(summed_confusion(pairs, 9), summed_confusion(other, 9))


def test_permuting_classes_permutes_iou() -> None:
    pairs = random_pairs(1, 9)
    order = np.random.default_rng(0).permutation(9)
    table = np.arange(256, dtype=np.uint8)
    table[:9] = order
    iou = Scores.from_confusion(summed_confusion(pairs, 9)).iou
    permuted = Scores.from_confusion(summed_confusion([(table[t], table[p]) for t, p in pairs], 9))
    np.testing.assert_allclose(permuted.iou[order], iou)


def test_absent_classes_are_nan_and_left_out_of_the_mean() -> None:
    target = np.array([[0, 0, 1, 1]], np.uint8)
    scores = Scores.from_confusion(confusion_matrix(target, target, 4, IGNORE))
    assert scores.miou == 1.0
    assert scores.classes_absent == 2
    assert np.isnan(scores.iou[2:]).all()


def test_a_predicted_class_absent_from_the_ground_truth_has_iou_zero() -> None:
    target = np.array([[0, 0, 0, 0]], np.uint8)
    prediction = np.array([[0, 0, 0, 2]], np.uint8)
    scores = Scores.from_confusion(confusion_matrix(prediction, target, 3, IGNORE))
    assert scores.iou[2] == 0.0
    assert scores.miou == pytest.approx((0.75 + 0) / 2)
    assert scores.mean_accuracy == 0.75


def test_a_prediction_out_of_range_counts_as_wrong() -> None:
    target = np.array([[0, 1, 1, 1]], np.uint8)
    prediction = np.array([[0, 1, 77, 255]], np.uint8)
    scores = Scores.from_confusion(confusion_matrix(prediction, target, 2, IGNORE))
    assert scores.pixel_accuracy == 0.5
    assert scores.iou.tolist() == [1.0, pytest.approx(1 / 3)]


def test_a_mask_without_labelled_pixels_scores_nan() -> None:
    target = np.full((2, 2), IGNORE, np.uint8)
    scores = Scores.from_confusion(confusion_matrix(target, target, 2, IGNORE))
    assert math.isnan(scores.miou)
    assert math.isnan(scores.pixel_accuracy)


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="prediction is"):
        confusion_matrix(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 2, IGNORE)
