"""Class weights against the formulas of their papers, worked out by hand."""

import numpy as np
import pytest

from sceneparse.losses.class_weights import median_frequency, median_share, tempered

# Four images of four classes, the last one in none of them: 600, 300, 100 and 0 pixels.
CENSUS = np.array([[200, 100, 100, 0], [200, 50, 0, 0], [100, 50, 0, 0], [100, 100, 0, 0]])


def test_median_frequency_is_relative_to_the_images_of_a_class() -> None:
    # Frequencies 0.6, 0.3 and 0.25, of which 0.3 is the median.
    weights = median_frequency(CENSUS)
    assert weights.tolist() == pytest.approx([0.5, 1.0, 1.2, 1.0])


def test_median_share_is_relative_to_all_pixels() -> None:
    # Pixels 600, 300 and 100, of which 300 is the median.
    weights = median_share(CENSUS)
    assert weights.tolist() == pytest.approx([0.5, 1.0, 3.0, 1.0])


def test_a_power_brings_weights_nearer_and_bounds_hold_them() -> None:
    weights = np.array([0.01, 1.0, 100.0])
    assert tempered(weights, 0.5, 0.0, None).tolist() == pytest.approx([0.1, 1, 10])
    assert tempered(weights, 0.5, 0.35, 3.0).tolist() == pytest.approx([0.35, 1, 3])
    assert tempered(weights, 0.0, 0.0, None).tolist() == [1, 1, 1]


def test_data_without_a_labelled_pixel_weigh_all_classes_alike() -> None:
    nothing = np.zeros((2, 3), np.int64)
    assert median_frequency(nothing).tolist() == [1, 1, 1]
    assert median_share(nothing).tolist() == [1, 1, 1]
