"""Tests of generated scenes as a data set, in memory and as files."""

from pathlib import Path

import numpy as np
import pytest

from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.data.datasets.synthetic import SyntheticScenes, synthetic, write_scene
from sceneparse.errors import InputError
from sceneparse.labels import ade20k_labels


def test_a_split_has_the_given_number_and_size_of_scenes() -> None:
    scenes = synthetic("training", 3, (40, 56), seed=0)
    assert len(scenes) == 3
    assert scenes.labels == ade20k_labels()
    for index in range(3):
        sample = scenes[index]
        assert (sample.image.shape, sample.mask.shape) == ((40, 56, 3), (40, 56))
        assert set(np.unique(sample.mask).tolist()) <= {*range(150), 255}
    with pytest.raises(IndexError):
        _ = scenes[3]
    with pytest.raises(IndexError):
        _ = scenes[-1]


def test_a_scene_does_not_depend_on_the_number_of_scenes() -> None:
    few, many = (synthetic("validation", count, (32, 32), seed=4) for count in (2, 200))
    for scenes in (few, many):
        np.testing.assert_array_equal(scenes[1].image, few[1].image)
        np.testing.assert_array_equal(scenes[1].mask, few[1].mask)


def test_splits_and_seeds_share_no_scene() -> None:
    images = [
        scenes[index].image.tobytes()
        for seed in (0, 1)
        for split in ("training", "validation")
        for scenes in [synthetic(split, 12, (32, 32), seed)]
        for index in range(12)
    ]
    assert len(set(images)) == 48


def test_names_are_unique_in_a_split() -> None:
    scenes = synthetic("training", 30, (32, 32), seed=0)
    assert len({scenes[index].name for index in range(30)}) == 30


def test_an_unknown_split_of_scenes_is_refused() -> None:
    with pytest.raises(InputError, match=r"split `test`: .* training and validation"):
        synthetic("test", 3, (32, 32), seed=0)


@pytest.mark.parametrize("split", ["training", "validation"])
def test_written_scenes_are_read_back_exactly(split: str, tmp_path: Path) -> None:
    scenes: SyntheticScenes = synthetic(split, 12, (36, 48), seed=2)
    for index in reversed(range(12)):
        write_scene(scenes, index, split, tmp_path)
    files = ade20k(tmp_path, split)
    assert len(files) == 12
    void = 0
    for index in range(12):
        files.check_headers(index)
        drawn, read = scenes[index], files[index]
        assert read.name == drawn.name
        np.testing.assert_array_equal(read.image, drawn.image)
        np.testing.assert_array_equal(read.mask, drawn.mask)
        assert read.mask.dtype == drawn.mask.dtype
        void += int((read.mask == 255).sum())
    assert void > 0  # the masks compared have unlabelled pixels
