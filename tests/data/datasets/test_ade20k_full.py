"""Tests of the full ADE20K: the choice of classes, and the cache of object categories."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.published import OBJECTS, write_ade20k_full

from sceneparse.data.datasets.ade20k_full import ade20k_full, ade20k_full_labels
from sceneparse.data.datasets.ade20k_objects import count_objects
from sceneparse.errors import InputError
from sceneparse.labels.label_files import labels_from_text
from sceneparse.system.user_cache import cache_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write four training images with all objects, one of them with two rare objects."""
    write_ade20k_full(tmp_path / "ADE20K_2021_17_01", images=4)
    return tmp_path / "ADE20K_2021_17_01"


def first_json(root: Path) -> Path:
    return min((root / "images" / "ADE" / "training").rglob("*.json"))


def test_categories_count_images_and_ignore_parts(root: Path) -> None:
    objects = {entry.id: entry for entry in count_objects(root)}
    assert sorted(objects) == sorted([*OBJECTS, 5, 3001])
    assert {objects[id].images for id in OBJECTS} == {4}
    assert (objects[5].images, objects[5].name) == (1, "object 5, thing")


def test_rare_objects_are_ignored_in_both_splits(root: Path) -> None:
    assert ade20k_full_labels(root, 1).num_classes == len(OBJECTS) + 2
    for split in ("training", "validation"):
        dataset = ade20k_full(root, split, 2)
        assert dataset.labels == ade20k_full_labels(root, 2)
        assert dataset.labels.num_classes == len(OBJECTS)
        mask = dataset[0].mask
        raw = dataset.annotations[0].read()
        assert {5, 3001, 0} <= set(np.unique(raw).tolist())
        assert (mask[np.isin(raw, [0, 5, 3001])] == 65535).all()
        assert mask.dtype == np.uint16


def test_a_threshold_above_all_counts_is_refused(root: Path) -> None:
    with pytest.raises(
        InputError, match=r"in 9 training .* one in 4; set a lower data\.min_images"
    ):
        ade20k_full(root, "validation", 9)


def test_categories_are_cached_until_a_file_changes(root: Path) -> None:
    before = count_objects(root)
    path = cache_folder(root) / "objects.json"
    document = json.loads(path.read_text())
    document["objects"][0][1] = "remembered"
    path.write_text(json.dumps(document))
    assert count_objects(root)[0].name == "remembered"
    json_file = first_json(root)
    json_file.write_text(json_file.read_text() + " ")
    assert count_objects(root) == before
    path.write_text("broken")
    assert count_objects(root) == before


def test_a_broken_annotation_is_reported(root: Path) -> None:
    first_json(root).write_text('{"annotation": {"object": [')
    with pytest.raises(InputError, match=r"ADE_train_00000000\.json: not the JSON of an image"):
        count_objects(root)


def test_names_may_have_any_encoding_and_a_single_object_no_list(root: Path) -> None:
    entry = {"name": "ros?", "name_ndx": 9, "parts": {"part_level": 0}}
    text = json.dumps({"annotation": {"object": entry}})
    first_json(root).write_bytes(text.encode().replace(b"?", b"\xe9"))
    assert next(entry for entry in count_objects(root) if entry.id == 9).name == "ros\ufffd"


def test_a_labels_file_sets_the_classes_without_annotations(root: Path) -> None:
    for path in root.rglob("*.json"):
        path.unlink()
    with pytest.raises(InputError, match=r"no files below it that end in \.json.*data\.labels="):
        ade20k_full(root, "training")
    labels = labels_from_text("classes: [{id: 17, name: a}, {id: 3688, name: b}]", "given")
    dataset = ade20k_full(root, "training", labels=labels)
    mask, raw = dataset[1].mask, dataset.annotations[1].read()
    assert mask.dtype == np.uint8
    assert np.array_equal(mask == 0, raw == 17)
    assert np.array_equal(mask == 1, raw == 3688)
    assert np.array_equal(mask == 255, ~np.isin(raw, [17, 3688]))
