"""`convert` writes a whole data set or nothing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import write_rectangles

import sceneparse
from sceneparse.data.datasets.folder import FolderData
from sceneparse.errors import InputError
from sceneparse.recording.events import Message, Progress
from sceneparse.tasks.convert import convert


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_rectangles(tmp_path / "own", {"training": 3, "validation": 2})
    return tmp_path / "own"


def test_images_are_copied_as_they_are_and_progress_is_reported(own: Path, tmp_path: Path) -> None:
    events: list[object] = []
    converted = convert(own, tmp_path / "out", to="coco", callback=events.append)
    assert converted.images == {"training": 3, "validation": 2}
    assert str(converted) == f"{tmp_path / 'out'}: 3 training, 2 validation images, 4 classes"
    for image in (own / "images").rglob("*.png"):
        copied = tmp_path / "out" / image.relative_to(own / "images")
        assert copied.read_bytes() == image.read_bytes()
    assert Progress("training", 3, 3) in events
    again = sceneparse.convert(
        tmp_path / "out", tmp_path / "back", overrides=["data.uncovered=background"]
    )
    assert again.images == converted.images


def test_a_published_layout_becomes_an_own_folder(tmp_path: Path) -> None:
    for kind, mode in (("images", "RGB"), ("annotations", "L")):
        (tmp_path / "ade" / kind / "training").mkdir(parents=True)
        Image.new(mode, (6, 5), 3 if mode == "L" else (9, 9, 9)).save(
            tmp_path / "ade" / kind / "training" / "ADE_train_1.png"
        )
    convert(tmp_path / "ade", tmp_path / "out")
    files = FolderData(root=tmp_path / "out").all_splits()["training"]
    assert files.labels.num_classes == 150
    assert files.labels.ignored_ids == (0,)
    assert files.labels.class_names[int(files[0].mask[0, 0])] == "sky"
    with Image.open(tmp_path / "out" / "masks" / "training" / "ADE_train_1.png") as image:
        assert image.mode == "P"
        assert np.unique(np.asarray(image)).tolist() == [3]


def broken_mask(own: Path) -> None:
    (own / "masks" / "validation" / "1.png").write_bytes(b"no image")


def unknown_id(own: Path) -> None:
    path = next((own / "masks" / "validation").iterdir())
    Image.fromarray(np.full_like(np.array(Image.open(path)), 77)).save(path)


def other_size(own: Path) -> None:
    Image.new("L", (3, 3)).save(next((own / "masks" / "validation").iterdir()))


@pytest.mark.parametrize("fault", [broken_mask, unknown_id, other_size])
def test_nothing_is_left_behind_if_a_mask_is_wrong(
    fault: Callable[[Path], None], own: Path, tmp_path: Path
) -> None:
    for path in sorted((own / "masks" / "validation").iterdir()):
        path.rename(path.with_name(f"{int(path.stem)}.png"))
    for path in sorted((own / "images" / "validation").iterdir()):
        path.rename(path.with_name(f"{int(path.stem)}.png"))
    fault(own)
    with pytest.raises(InputError, match="masks/validation"):
        convert(own, tmp_path / "out", to="coco")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]


def test_an_existing_folder_is_not_touched(own: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="out: not an empty folder"):
        convert(own, tmp_path / "out")
    (tmp_path / "out" / "mine").unlink()
    convert(own, tmp_path / "out")
    assert (tmp_path / "out" / "labels.yaml").is_file()


def test_an_unknown_format_is_refused_with_the_known_ones(own: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"format `voc`: expected masks, .*coco"):
        convert(own, tmp_path / "out", to="voc")


def test_a_folder_that_cannot_be_made_is_reported(own: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the folder cannot be created"):
        convert(own, tmp_path / "file" / "out")


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=10))
    with pytest.raises(InputError, match="of free disk space, and the images alone have"):
        convert(own, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_that_images_still_need_are_told(own: Path, tmp_path: Path) -> None:
    events: list[object] = []
    overrides = ["data.exif_orientation=ignore", "data.image_range=[0, 100]", "data.bands=[3, 1]"]
    convert(own, tmp_path / "out", overrides=overrides, callback=events.append)
    told = " ".join(event.text for event in events if isinstance(event, Message))
    assert "set data.exif_orientation=ignore in runs on" in told
    assert "set data.image_range=[0, 100] in runs on" in told
    assert "set data.bands=[3, 1] in runs on" in told


def test_overlaps_and_shapes_without_area_are_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (10, 10)).save(tmp_path / "in" / "a.png")
    shapes = [
        {"label": label, "points": [[0, 0], [size, 0], [size, size], [0, size]]}
        for label, size in (("cat", 10), ("dog", 5))
    ]
    shapes.append({"label": "dog", "points": [[1, 1]], "shape_type": "point"})
    document = {"shapes": shapes, "imagePath": "a.png"}
    (tmp_path / "in" / "a.json").write_text(json.dumps(document))
    converted = convert(tmp_path / "in", tmp_path / "out")
    assert str(converted).splitlines()[1:] == [
        "25 pixels (25.00%) lie in shapes of different classes, and take the class of the one on "
        "top",
        "1 shapes without an area are left out",
    ]
    data = FolderData(root=tmp_path / "out")
    assert replace(data, format="masks").unsplit()[0].mask.tolist()[0] == [1] * 5 + [0] * 5
