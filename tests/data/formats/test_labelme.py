"""Tests of LabelMe's JSON files."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats.rasterizer import read_counting
from sceneparse.errors import InputError

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


def shape(label: str = "cat", points: Any = SQUARE, kind: str = "polygon", **more: Any) -> Any:
    return {"label": label, "points": points, "shape_type": kind, **more}


def write(root: Path, name: str = "a", *shapes: Any, **more: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    if not (root / f"{name}.png").exists():
        Image.new("RGB", (10, 8), (9, 9, 9)).save(root / f"{name}.png")
    document = {
        "shapes": list(shapes),
        "imagePath": f"{name}.png",
        "imageData": None,
        "imageHeight": 8,
        "imageWidth": 10,
        **more,
    }
    path = root / f"{name}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def mask_of(root: Path, uncovered: str = "background") -> Any:
    files = FolderData(root=root, uncovered=uncovered).unsplit()  # pyright: ignore[reportArgumentType]
    return files[0].mask


def png(pixels: Any) -> str:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("drawn", "area"),
    [
        (shape(), 16),
        (shape(points=[[1, 1], [5, 3]], kind="rectangle"), 8),
        (shape(points=[[5, 3], [1, 1]], kind="rectangle"), 8),
        (shape(points=SQUARE, kind="rotation"), 16),
        (shape(points=[[5, 4], [5, 6]], kind="circle"), 12),
        (
            shape(
                points=[[2, 1], [4, 2]],
                kind="mask",
                mask=png(np.array([[0, 255, 255], [255, 0, 0]], np.uint8)),
            ),
            3,
        ),
        ({"label": "cat", "points": SQUARE}, 16),
        (shape(kind=None), 16),  # pyright: ignore[reportArgumentType]
    ],
)
def test_each_type_of_shape_has_its_area(drawn: Any, area: int, tmp_path: Path) -> None:
    write(tmp_path / "d", "a", drawn)
    assert int((mask_of(tmp_path / "d") == 1).sum()) == area


def test_later_shapes_lie_on_top_and_ignored_ones_are_not_labelled(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a",
        shape("zebra"),
        shape("ant", [[2, 2], [6, 2], [6, 6], [2, 6]]),
        shape("__ignore__", [[8, 0], [10, 0], [10, 8], [8, 8]]),
    )
    mask = mask_of(tmp_path)
    labels = FolderData(root=tmp_path, uncovered="background").find_labels()
    assert labels.class_names == ("background", "ant", "zebra")
    assert mask[0, 0] == 2
    assert mask[3, 3] == 1
    assert mask[7, 0] == 0
    assert (mask[:, 8:] == 255).all()


def test_a_list_of_classes_fixes_the_ids_and_may_name_the_background(tmp_path: Path) -> None:
    write(tmp_path, "a", shape("zebra"))
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nzebra\nant\n")
    data = FolderData(root=tmp_path)
    assert data.find_labels().class_names == ("_background_", "zebra", "ant")
    assert data.unsplit()[0].mask[0, 0] == 1
    (tmp_path / "labels.txt").write_text("ant\n")
    with pytest.raises(InputError, match=r"labels\.txt: lacks 1 of the labels.*zebra"):
        data.find_labels()


def test_a_labels_yaml_fixes_the_ids(tmp_path: Path) -> None:
    write(tmp_path, "a", shape("zebra"))
    (tmp_path / "labels.yaml").write_text("classes: {5: zebra, 7: background}\n")
    labels = FolderData(root=tmp_path, uncovered="background").find_labels()
    assert labels.raw_ids == (5, 7)
    assert mask_of(tmp_path).tolist()[0] == [0] * 4 + [1] * 6
    (tmp_path / "labels.yaml").write_text("classes: [ant]\n")
    with pytest.raises(InputError, match=r"labels\.yaml: lacks 1 of the classes.*zebra"):
        FolderData(root=tmp_path).find_labels()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "a", shape("zebra"))
    assert (mask_of(tmp_path) == 1).sum() == 16
    write(tmp_path, "a", shape("zebra", [[0, 0], [2, 0], [2, 2], [0, 2]]))
    assert (mask_of(tmp_path) == 1).sum() == 4
    write(tmp_path, "b", shape("ant"))
    assert len(FolderData(root=tmp_path, uncovered="ignore").unsplit()) == 2


@pytest.mark.parametrize("written", ["..\\pictures\\a.png", "C:\\Users\\me\\a.png", "/x/a.png"])
def test_the_image_is_found_by_its_name(written: str, tmp_path: Path) -> None:
    write(tmp_path / "json", "a", shape(), imagePath=written)
    (tmp_path / "photos").mkdir()
    (tmp_path / "json" / "a.png").rename(tmp_path / "photos" / "a.png")
    files = FolderData(root=tmp_path, uncovered="ignore").unsplit()
    assert files.images == (tmp_path / "photos" / "a.png",)


def test_an_image_outside_of_the_folder_is_not_taken(tmp_path: Path) -> None:
    Image.new("RGB", (10, 8)).save(tmp_path / "secret.png")
    write(tmp_path / "d", "a", shape(), imagePath="../secret.png")
    with pytest.raises(InputError, match=r"names the image \.\./secret\.png, but it is not there"):
        FolderData(root=tmp_path / "d").unsplit()


def test_points_and_lines_are_counted_and_images_without_annotation_named(tmp_path: Path) -> None:
    write(tmp_path, "a", shape(), shape(points=[[1, 1]], kind="point"))
    Image.new("RGB", (10, 8)).save(tmp_path / "left.png")
    files = FolderData(root=tmp_path, uncovered="ignore").unsplit()
    assert read_counting(files.annotations[0]).without_area == 1
    assert files.notes == ("1 images have no annotation and are left out, such as left.png",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"shapes": [], "imagePath"', "not LabelMe JSON: Invalid JSON"),
        (b'{"shapes": 3, "imagePath": "a.png"}', "at `shapes`"),
        (b'{"shapes": [{"label": 1}], "imagePath": "a.png"}', r"at `shapes\.0\.label`"),
        (
            b'{"shapes": [{"label": "x"}], "imagePath": "b.png"}',
            "names the image b.png, but it is not there",
        ),
        (
            b'{"shapes": [{"label": "x", "points": [[NaN, 1]]}], "imagePath": "a.png"}',
            "finite",
        ),
        (
            b'{"shapes": [{"label": "x", "shape_type": "star"}], "imagePath": "a.png"}',
            "a shape of type `star` with 0 points",
        ),
        (
            b'{"shapes": [{"label": "x", "shape_type": "mask"}], "imagePath": "a.png"}',
            "without two points and pixels",
        ),
        (b'{"shapes": [], "imagePath": "a.png"}', "names no classes"),
    ],
)
def test_a_wrong_file_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = write(tmp_path, "a")
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        FolderData(root=tmp_path, uncovered="ignore").unsplit()
    assert str(tmp_path) in str(caught.value)


def test_an_annotation_of_another_size_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", shape(), imageHeight=20)
    files = FolderData(root=tmp_path, uncovered="ignore").unsplit()
    with pytest.raises(InputError, match=r"a\.json: 10×20 pixels, but a\.png has 10×8"):
        files[0]
