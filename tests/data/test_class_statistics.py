"""Pixels of classes are counted once, and the same with any cache or none."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.caching import make, opened, packed, write_images
from tests.conftest import write_rectangles

from sceneparse.data.class_statistics import class_pixels
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.folder import folder
from sceneparse.data.datasets.synthetic import synthetic
from sceneparse.data.io.mask_codes import RedAndGreen
from sceneparse.errors import InputError
from sceneparse.system.user_cache import cache_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six images of 12×16 pixels."""
    write_rectangles(tmp_path / "data", {"training": 6}, (12, 16))
    return tmp_path / "data"


def files_of(root: Path) -> PairedFiles:
    return folder(root, "training")


def census_of(root: Path) -> Path:
    return cache_folder(root) / "training.class_statistics.json"


def by_hand(dataset: Dataset) -> NDArray[np.int64]:
    classes = range(dataset.labels.num_classes)
    masks = [dataset[index].mask for index in range(len(dataset))]
    return np.array([[(mask == class_id).sum() for class_id in classes] for mask in masks])


def spoil(path: Path) -> None:
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_counts_are_those_of_the_masks_and_the_second_time_no_file_is_opened(root: Path) -> None:
    expected = by_hand(files_of(root))
    found = class_pixels(files_of(root), root)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)
    for path in root.rglob("*.png"):
        spoil(path)
    np.testing.assert_array_equal(class_pixels(files_of(root), root), expected)
    census_of(root).unlink()
    with pytest.raises(InputError, match=r"000\.png: not an image"):
        class_pixels(files_of(root), root)


def test_a_mask_that_changed_is_counted_again_and_void_is_no_class(root: Path) -> None:
    class_pixels(files_of(root).limited(4), root)
    (root / "labels.yaml").write_text("classes: [background, red, green]\nignored_ids: [3]\n")
    expected = by_hand(files_of(root))
    assert expected.sum() < 6 * 12 * 16
    np.testing.assert_array_equal(class_pixels(files_of(root), root), expected)
    Image.fromarray(np.full((12, 16), 2, np.uint8)).save(root / "masks" / "training" / "002.png")
    assert class_pixels(files_of(root), root)[2].tolist() == [0, 0, 192]


def test_a_mask_that_is_read_in_another_way_is_counted_again(root: Path) -> None:
    class_pixels(files_of(root), root)
    with pytest.raises(InputError, match=r"000\.png: mode L; expected a mask of 8-bit RGB colours"):
        class_pixels(replace(files_of(root), code=RedAndGreen()), root)


def test_a_mistake_is_told_and_what_was_counted_before_is_kept(root: Path) -> None:
    Image.fromarray(np.full((12, 16), 9, np.uint8)).save(root / "masks" / "training" / "004.png")
    with pytest.raises(InputError, match=r"004\.png: values 9 are neither a class"):
        class_pixels(files_of(root), root)
    assert len(json.loads(census_of(root).read_text())["files"]) == 4


def test_a_mask_that_is_gone_is_told(root: Path) -> None:
    files = files_of(root)
    (root / "masks" / "training" / "003.png").unlink()
    with pytest.raises(InputError, match=r"003\.png: no such file"):
        class_pixels(files, root)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"format": "sceneparse class statistics 0", "files": {}}',
        b'{"format": "sceneparse class statistics 1", "labels": "other ids", '
        b'"files": {"000": [1, 2, 0, 9]}}',
        b'{"format": "sceneparse class statistics 1"}',
    ],
)
def test_a_census_that_is_of_no_use_is_made_anew(content: bytes, root: Path) -> None:
    census_of(root).parent.mkdir(parents=True, exist_ok=True)
    census_of(root).write_bytes(content)
    expected = by_hand(files_of(root))
    np.testing.assert_array_equal(class_pixels(files_of(root), root), expected)
    assert len(json.loads(census_of(root).read_text())["files"]) == 6


@pytest.mark.parametrize(
    "rest", [["a", 5], [0], [7, 5], [-1, 5], [0, 1.5], [0, -3], [0, 2**70], [True, 4]]
)
def test_an_entry_that_is_damaged_is_made_anew(rest: list[object], root: Path) -> None:
    expected = class_pixels(files_of(root), root)
    document = json.loads(census_of(root).read_text())
    document["files"]["003"][2:] = rest
    census_of(root).write_text(json.dumps(document))
    np.testing.assert_array_equal(class_pixels(files_of(root), root), expected)


def test_a_cache_folder_that_cannot_be_written_to_is_done_without(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        np.testing.assert_array_equal(class_pixels(files_of(root), root), by_hand(files_of(root)))


@pytest.mark.parametrize("short_side", [None, 8])
def test_decoded_images_are_counted_as_their_files(short_side: int | None, tmp_path: Path) -> None:
    write_images(tmp_path / "data")
    root = tmp_path / "data"
    expected = by_hand(opened(root, cache="off"))
    to = tmp_path / "fast"
    make(root, to=to, short_side=short_side)
    cached = packed(root, cache=to)
    np.testing.assert_array_equal(class_pixels(cached, root), expected)
    np.testing.assert_array_equal(class_pixels(cached), expected)


def test_generated_scenes_are_counted_as_they_are_drawn() -> None:
    scenes = synthetic("training", 3, (32, 40), 5)
    np.testing.assert_array_equal(class_pixels(scenes), by_hand(scenes))
