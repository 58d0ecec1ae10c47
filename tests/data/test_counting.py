"""Pixels of classes against a slow count; counted once, and again when a file has changed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from tests.conftest import write_rectangles

from sceneparse.data.cache_folder import cache_folder
from sceneparse.data.counting import class_counts, kept_class_counts
from sceneparse.data.dataset import Dataset
from sceneparse.data.folder import folder
from sceneparse.data.packed import open_packed
from sceneparse.data.packed_format import default_folder
from sceneparse.data.synthetic import synthetic
from sceneparse.errors import InputError
from sceneparse.runs.cache import CacheOrder, cache_data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five pictures, one of them with void and one without the class green."""
    write_rectangles(tmp_path / "data", {"training": 5}, (20, 30))
    (tmp_path / "data" / "labels.yaml").write_text(
        "classes: [background, red, green, blue]\nignored_ids: [9]\n"
    )
    for name, old, new in (("001", 1, 9), ("002", 2, 0)):
        path = tmp_path / "data" / "masks" / "training" / f"{name}.png"
        ids = np.array(Image.open(path))
        ids[ids == old] = new
        Image.fromarray(ids).save(path)
    return tmp_path / "data"


def slow(dataset: Dataset) -> list[list[int]]:
    """Count pixel by pixel."""
    classes = range(dataset.labels.num_classes)
    pixels, pictures, together = ([0 for _ in classes] for _ in range(3))
    for index in range(len(dataset)):
        ids = dataset[index].mask.ravel().tolist()
        for label in classes:
            count = ids.count(label)
            pixels[label] += count
            if count:
                pictures[label] += 1
                together[label] += sum(each in classes for each in ids)
    return [pixels, pictures, together]


def as_lists(counts: tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]) -> list[list[int]]:
    return [values.tolist() for values in counts]


def spoil(root: Path) -> None:
    """Make every mask useless behind the back of who looks at size and time alone."""
    for path in (root / "masks").rglob("*.png"):
        before = path.stat()
        path.write_bytes(bytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_counts_agree_with_a_slow_count(root: Path) -> None:
    dataset = folder(root, "training")
    counts = class_counts(dataset)
    assert as_lists(counts) == slow(dataset)
    assert counts.pictures.tolist()[2] == 4
    assert counts.together[0] < 5 * 20 * 30


def test_generated_scenes_are_counted_too() -> None:
    scenes = synthetic("training", 3, (32, 48), 0)
    assert as_lists(class_counts(scenes)) == slow(scenes)
    assert as_lists(kept_class_counts(scenes, None)) == slow(scenes)


def test_the_second_time_no_mask_is_read(root: Path) -> None:
    expected = slow(folder(root, "training"))
    assert as_lists(kept_class_counts(folder(root, "training"), root)) == expected
    spoil(root)
    assert as_lists(kept_class_counts(folder(root, "training"), root)) == expected
    path = next(cache_folder(root).glob("*.classes.json"))
    for broken in (b"", b"{}", b"[1]", b'{"key": 3}', path.read_bytes().replace(b"[", b"[[")):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="not a"):
            kept_class_counts(folder(root, "training"), root)


def test_other_files_and_other_classes_are_counted_anew(root: Path) -> None:
    kept_class_counts(folder(root, "training"), root)
    Image.fromarray(np.full((20, 30), 3, np.uint8)).save(root / "masks" / "training" / "004.png")
    changed = folder(root, "training")
    assert as_lists(kept_class_counts(changed, root)) == slow(changed)
    assert as_lists(kept_class_counts(changed.limited(2), root)) == slow(changed.limited(2))
    (root / "labels.yaml").write_text("classes: {0: none, 2: green, 3: blue}\nignored_ids: [1, 9]")
    fewer = folder(root, "training")
    assert as_lists(kept_class_counts(fewer, root)) == slow(fewer)


def test_counts_that_do_not_fit_the_classes_are_not_taken(root: Path) -> None:
    dataset = folder(root, "training")
    kept_class_counts(dataset, root)
    path = next(cache_folder(root).glob("*.classes.json"))
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "pixels": [1, 2]}))
    assert as_lists(kept_class_counts(dataset, root)) == slow(dataset)


def test_a_cache_of_pixels_counts_the_same(root: Path) -> None:
    files = folder(root, "training")
    (root / "images" / "validation").mkdir()
    (root / "masks" / "validation").mkdir()
    for kind in ("images", "masks"):
        path = root / kind / "training" / "000.png"
        (root / kind / "validation" / "x.png").write_bytes(path.read_bytes())
    cache_data(CacheOrder(root), Console(quiet=True))
    packed = open_packed(files, root, default_folder(root))
    assert packed is not None
    assert packed.held == 5
    assert as_lists(kept_class_counts(packed, root)) == slow(files)


def test_a_mask_that_cannot_be_read_is_named(root: Path) -> None:
    (root / "masks" / "training" / "003.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"003\.png"):
        kept_class_counts(folder(root, "training"), root)
