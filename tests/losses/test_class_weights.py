"""Class weights equal the formulas of their papers, evaluated by hand."""

import numpy as np
import pytest

from sceneparse.losses.class_weights import clipped_power, median_frequency, median_share

# Four images, four classes of 600, 300, 100 and 0 pixels.
CLASS_STATISTICS = np.array(
    [[200, 100, 100, 0], [200, 50, 0, 0], [100, 50, 0, 0], [100, 100, 0, 0]]
)


def test_median_frequency_is_relative_to_the_images_of_a_class() -> None:
    # The frequencies are 0.6, 0.3 and 0.25; their median is 0.3.
    weights = median_frequency(CLASS_STATISTICS)
    assert weights.tolist() == pytest.approx([0.5, 1.0, 1.2, 1.0])


def test_median_share_is_relative_to_all_pixels() -> None:
    # The classes have 600, 300 and 100 pixels; the median is 300.
    weights = median_share(CLASS_STATISTICS)
    assert weights.tolist() == pytest.approx([0.5, 1.0, 3.0, 1.0])


def test_clipped_power_brings_weights_nearer_to_1_and_clips_them() -> None:
    weights = np.array([0.01, 1.0, 100.0])
    assert clipped_power(weights, 0.5, 0.0, None).tolist() == pytest.approx([0.1, 1, 10])
    assert clipped_power(weights, 0.5, 0.35, 3.0).tolist() == pytest.approx([0.35, 1, 3])
    assert clipped_power(weights, 0.0, 0.0, None).tolist() == [1, 1, 1]


def test_without_labelled_pixels_all_weights_are_1() -> None:
    empty = np.zeros((2, 3), np.int64)
    assert median_frequency(empty).tolist() == [1, 1, 1]
    assert median_share(empty).tolist() == [1, 1, 1]
