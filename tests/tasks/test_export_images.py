"""The images that exports are calibrated on and compared on."""

from pathlib import Path

import numpy as np
import pytest

from sceneparse.artifacts.weights import StoredModel
from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.tasks.export_images import calibration_and_comparison, comparison


def stored(*classes: str) -> StoredModel:
    """A model of some classes, without weights."""
    colors = tuple((index, 0, 0) for index in range(len(classes)))
    labels = Labels(classes, colors, tuple(range(len(classes))))
    return StoredModel({}, parse_config("data: {kind: folder, root: elsewhere}\n", "test"), labels)


RECTANGLES = ("background", "red", "green", "blue")


def test_a_data_set_gives_its_splits_with_masks(rectangles_root: Path) -> None:
    calibration, compared = calibration_and_comparison(stored(*RECTANGLES), rectangles_root)
    assert (len(calibration), len(compared)) == (24, 6)
    masks = [sample.mask for sample in compared]
    assert all(mask is not None and mask.max() <= 3 for mask in masks)
    # The same images without int8.
    again = comparison(stored(*RECTANGLES), rectangles_root)
    for one, other in zip(compared, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_a_data_set_of_other_classes_is_refused(rectangles_root: Path) -> None:
    with pytest.raises(InputError, match="the model has 2 classes, the data set 4"):
        comparison(stored("cat", "dog"), rectangles_root)


def test_a_folder_of_images_is_divided(rectangles_root: Path) -> None:
    folder = rectangles_root / "images" / "validation"
    calibration, compared = calibration_and_comparison(stored(*RECTANGLES), folder)
    names = sorted(sample.name for samples in (calibration, compared) for sample in samples)
    assert names == sorted(map(str, folder.iterdir()))
    assert len(calibration) == len(compared) == 3
    assert all(sample.mask is None for sample in compared)
    with pytest.raises(InputError, match="found one image"):
        calibration_and_comparison(stored(*RECTANGLES), next(folder.iterdir()))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images in this folder"):
        comparison(stored(*RECTANGLES), tmp_path)
