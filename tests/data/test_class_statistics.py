"""Tests of class statistics, and of their cache."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.caching import make_cache, open_cached, open_split, write_images
from tests.conftest import write_rectangles

from sceneparse.data.class_statistics import count_class_pixels
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.synthetic import synthetic
from sceneparse.data.io.mask_encodings import RedAndGreen
from sceneparse.data.pairing import pair_folders
from sceneparse.errors import InputError
from sceneparse.system.user_cache import cache_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write six images of 12×16 pixels."""
    write_rectangles(tmp_path / "data", {"training": 6}, (12, 16))
    return tmp_path / "data"


def open_files(root: Path) -> PairedFiles:
    return FolderData(root=root).all_splits()["training"]


def statistics_path(root: Path) -> Path:
    return cache_folder(root) / "training.class_statistics.json"


def count_slowly(dataset: Dataset) -> NDArray[np.int64]:
    classes = range(dataset.labels.num_classes)
    masks = [dataset[index].mask for index in range(len(dataset))]
    return np.array([[(mask == class_id).sum() for class_id in classes] for mask in masks])


def corrupt(path: Path) -> None:
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_counts_equal_the_masks_and_are_cached(root: Path) -> None:
    expected = count_slowly(open_files(root))
    found = count_class_pixels(open_files(root), root)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)
    for path in root.rglob("*.png"):
        corrupt(path)
    np.testing.assert_array_equal(count_class_pixels(open_files(root), root), expected)
    statistics_path(root).unlink()
    with pytest.raises(InputError, match=r"000\.png: not an image"):
        count_class_pixels(open_files(root), root)


def test_a_changed_mask_is_counted_again_without_unlabelled_pixels(root: Path) -> None:
    count_class_pixels(open_files(root).subsample(4), root)
    (root / "labels.yaml").write_text("classes: [background, red, green]\nignored_ids: [3]\n")
    expected = count_slowly(open_files(root))
    assert expected.sum() < 6 * 12 * 16
    np.testing.assert_array_equal(count_class_pixels(open_files(root), root), expected)
    Image.fromarray(np.full((12, 16), 2, np.uint8)).save(root / "masks" / "training" / "002.png")
    assert count_class_pixels(open_files(root), root)[2].tolist() == [0, 0, 192]


def test_masks_of_another_encoding_are_counted_again(root: Path) -> None:
    files = open_files(root)
    count_class_pixels(files, root)
    folders = root / "images" / "training", root / "masks" / "training"
    colored = pair_folders(*folders, files.labels, files.cache_name, RedAndGreen())
    with pytest.raises(InputError, match=r"000\.png: mode L; expected a mask of 8-bit RGB colours"):
        count_class_pixels(colored, root)


def test_an_unknown_id_is_reported_and_earlier_counts_are_kept(root: Path) -> None:
    Image.fromarray(np.full((12, 16), 9, np.uint8)).save(root / "masks" / "training" / "004.png")
    with pytest.raises(InputError, match=r"004\.png: values 9 are neither a class"):
        count_class_pixels(open_files(root), root)
    assert len(json.loads(statistics_path(root).read_text())["files"]) == 4


def test_a_missing_mask_is_reported(root: Path) -> None:
    files = open_files(root)
    (root / "masks" / "training" / "003.png").unlink()
    with pytest.raises(InputError, match=r"003\.png: no such file"):
        count_class_pixels(files, root)


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
def test_invalid_class_statistics_are_rebuilt(content: bytes, root: Path) -> None:
    statistics_path(root).parent.mkdir(parents=True, exist_ok=True)
    statistics_path(root).write_bytes(content)
    expected = count_slowly(open_files(root))
    np.testing.assert_array_equal(count_class_pixels(open_files(root), root), expected)
    assert len(json.loads(statistics_path(root).read_text())["files"]) == 6


@pytest.mark.parametrize(
    "rest", [["a", 5], [0], [7, 5], [-1, 5], [0, 1.5], [0, -3], [0, 2**70], [True, 4]]
)
def test_a_damaged_entry_is_counted_again(rest: list[object], root: Path) -> None:
    expected = count_class_pixels(open_files(root), root)
    document = json.loads(statistics_path(root).read_text())
    document["files"]["003"][2:] = rest
    statistics_path(root).write_text(json.dumps(document))
    np.testing.assert_array_equal(count_class_pixels(open_files(root), root), expected)


def test_an_unwritable_cache_folder_is_ignored(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        np.testing.assert_array_equal(
            count_class_pixels(open_files(root), root), count_slowly(open_files(root))
        )


@pytest.mark.parametrize("short_side", [None, 8])
def test_counts_with_a_cache_equal_those_of_the_files(
    short_side: int | None, tmp_path: Path
) -> None:
    write_images(tmp_path / "data")
    root = tmp_path / "data"
    expected = count_slowly(open_split(root, cache="off"))
    to = tmp_path / "fast"
    make_cache(root, to=to, short_side=short_side)
    cached = open_cached(root, cache=to)
    np.testing.assert_array_equal(count_class_pixels(cached, root), expected)
    np.testing.assert_array_equal(count_class_pixels(cached), expected)


def test_generated_scenes_are_counted() -> None:
    scenes = synthetic("training", 3, (32, 40), 5)
    np.testing.assert_array_equal(count_class_pixels(scenes), count_slowly(scenes))
