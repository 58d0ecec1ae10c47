"""Tests of the header index: files are opened once, until they change."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import write_rectangles

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.header_index import check_image_sizes
from sceneparse.errors import InputError
from sceneparse.system.user_cache import cache_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write eight images of 10×12 pixels."""
    write_rectangles(tmp_path / "data", {"training": 8}, (10, 12))
    return tmp_path / "data"


def open_split(root: Path) -> PairedFiles:
    return FolderData(root=root).all_splits()["training"]


def index_path(root: Path) -> Path:
    return cache_folder(root) / "training.headers.json"


def corrupt(path: Path) -> None:
    """Overwrite a file without changing its size and modification time."""
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_checked_files_are_not_opened_again(root: Path) -> None:
    assert check_image_sizes(open_split(root), root).tolist() == [[10, 12]] * 8
    for path in root.rglob("*.png"):
        corrupt(path)
    assert check_image_sizes(open_split(root), root).tolist() == [[10, 12]] * 8
    index_path(root).unlink()
    with pytest.raises(InputError, match=r"000\.png: not an image"):
        check_image_sizes(open_split(root), root)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_new_and_changed_files_are_checked(kind: str, root: Path) -> None:
    check_image_sizes(open_split(root).subsample(4), root)
    Image.new("RGB" if kind == "images" else "L", (7, 7)).save(root / kind / "training" / "005.png")
    with pytest.raises(InputError, match=r"masks/training/005\.png: .* pixels, but 005\.png has"):
        check_image_sizes(open_split(root), root)
    Image.new("RGB", (5, 6)).save(root / "images" / "training" / "005.png")
    Image.new("L", (5, 6)).save(root / "masks" / "training" / "005.png")
    assert check_image_sizes(open_split(root), root)[5].tolist() == [6, 5]


def test_sizes_checked_before_an_error_are_kept(root: Path) -> None:
    (root / "images" / "training" / "006.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"006\.png: not an image"):
        check_image_sizes(open_split(root), root)
    assert len(json.loads(index_path(root).read_text())["files"]) == 6
    (root / "masks" / "training" / "007.png").unlink()
    (root / "images" / "training" / "007.png").unlink()
    with pytest.raises(InputError, match=r"006\.png: not an image"):
        check_image_sizes(open_split(root), root)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"{",
        b"[]",
        b"7",
        b'{"format": "sceneparse headers 1", "files": {"000": [1, 2, 3]}}',
        b'{"format": FORMAT}',
        b'{"format": FORMAT, "files": []}',
        b'{"format": FORMAT, "files": {"000": [1, 2, 3]}}',
        b'{"format": FORMAT, "files": {"000": ["a", 2, 3, 4, 5, 6, 1, 8]}}',
        b'{"format": FORMAT, "files": {"000": [1e999, 2, 3, 4, 5, 6, 1, 8]}}',
        b'{"format": FORMAT, "files": {"000": null}}',
    ],
)
def test_an_invalid_index_is_rebuilt(content: bytes, root: Path) -> None:
    check_image_sizes(open_split(root), root)
    # The format names the encoding of the masks.
    stored = json.dumps(json.loads(index_path(root).read_text())["format"])
    index_path(root).write_bytes(content.replace(b"FORMAT", stored.encode()))
    assert check_image_sizes(open_split(root), root).tolist() == [[10, 12]] * 8
    assert len(json.loads(index_path(root).read_text())["files"]) == 8


def test_an_unwritable_cache_folder_is_ignored(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        assert check_image_sizes(open_split(root), root).tolist() == [[10, 12]] * 8
    assert (tmp_path / "file").read_text() == "no folder"


def test_concurrent_writers_leave_a_complete_index(root: Path) -> None:
    def check(number: int) -> list[list[int]]:
        index_path(root).unlink(missing_ok=True)
        return check_image_sizes(open_split(root).select([number % 8]), root).tolist()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(check, range(64))) == [[[10, 12]]] * 64
    assert json.loads(index_path(root).read_text())["files"]
    assert [path.name for path in cache_folder(root).iterdir()] == [index_path(root).name]


def test_each_data_root_has_its_own_cache_folder_with_a_readable_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "a" / "my [pets]", tmp_path / "b" / "my [pets]"
    assert cache_folder(here).name.startswith("my_pets_-")
    assert cache_folder(here) != cache_folder(there)
    here.mkdir(parents=True)
    (tmp_path / "link").symlink_to(here)
    assert cache_folder(tmp_path / "link") == cache_folder(here)
    monkeypatch.setenv("SCENEPARSE_CACHE", "~/caches")
    assert cache_folder(here).parent == Path.home() / "caches"
    monkeypatch.delenv("SCENEPARSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(here).parent.name == "sceneparse"


def test_sizes_are_those_after_exif_orientation(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (10, 12)).save(root / "images" / "training" / "001.png", exif=exif)
    for _ in range(2):
        sizes = check_image_sizes(open_split(root), root)
        assert np.array_equal(sizes, [[10, 12]] * 8)
