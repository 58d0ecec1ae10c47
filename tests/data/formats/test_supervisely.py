"""Supervisely projects, from files as it writes them."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.data.formats.mutations import mutated

from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats import supervisely
from sceneparse.data.formats.annotation_format import AnnotatedData, ReadOptions
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError

WIDTH, HEIGHT = 20, 10
CLASSES = [
    {"title": "box", "shape": "any", "color": "#FF0010", "id": 9214847},
    {"title": "disc", "shape": "rectangle", "color": "#00ff00", "id": 9214848},
]
# From the documentation of Supervisely: 3×3 pixels without the middle one and that at its right.
KNOWN = (
    "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44"
    "cOHAB6DqY0yORgq8YkAZBk9XP5d1TglNANAFGzA="
)


def png(mode: str, rows: slice, columns: slice, size: tuple[int, int] = (4, 4)) -> bytes:
    mask = np.zeros(size, np.uint8)
    mask[rows, columns] = 1 if mode == "P" else 255
    image = Image.fromarray(mask)
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 255, 255])
    if mode == "RGBA":
        black = Image.new("L", image.size)
        image = Image.merge("RGBA", (black, black, black, image))
    content = io.BytesIO()
    image.save(content, "PNG", **({"transparency": 0} if mode == "P" else {}))
    return content.getvalue()


def text(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


def thing(kind: str, title: str = "box", **more: Any) -> dict[str, Any]:
    return {"classTitle": title, "geometryType": kind, "tags": [], **more}


def outline(*points: tuple[float, float], holes: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"points": {"exterior": list(points), "interior": list(holes)}}


BOX = thing("rectangle", **outline((2, 1), (6, 4)))


def put(
    root: Path,
    *things: Any,
    folder: str = "ds0",
    name: str = "pic.jpg",
    meta: Any = None,
    size: Any = None,
    ann_name: str = "",
) -> Path:
    (root / folder / "img").mkdir(parents=True, exist_ok=True)
    (root / folder / "ann").mkdir(exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / folder / "img" / name)
    content = {"classes": CLASSES, "tags": []} if meta is None else meta
    (root / "meta.json").write_text(json.dumps(content))
    path = root / folder / "ann" / (ann_name or f"{name}.json")
    size = size or {"height": HEIGHT, "width": WIDTH}
    path.write_text(json.dumps({"description": "", "size": size, "objects": list(things)}))
    return path


def read(root: Path) -> AnnotatedData:
    return supervisely.read(root, ReadOptions("background"))


def ids(data: AnnotatedData, index: int = 0) -> NDArray[np.int64]:
    """0 for background, 1 for box, 2 for disc."""
    table = np.full(256, 99)
    table[list(data.labels.raw_ids)] = [
        {"background": 0, "box": 1, "disc": 2}[name] for name in data.labels.class_names
    ]
    return table[data.images[index].annotation.read()]


def covered(rows: slice, columns: slice) -> NDArray[np.int64]:
    expected = np.zeros((HEIGHT, WIDTH), np.int64)
    expected[rows, columns] = 1
    return expected


@pytest.mark.parametrize(
    ("drawn", "rows", "columns"),
    [
        (BOX, slice(1, 4), slice(2, 6)),
        (thing("rectangle", **outline((6, 4), (2, 1))), slice(1, 4), slice(2, 6)),
        (
            thing("polygon", **outline((2, 1), (6, 1), (6, 4), (2, 4))),
            slice(1, 4),
            slice(2, 6),
        ),
        # 6×2 pixels around (6, 5), turned by a quarter.
        (
            thing("oriented_bbox", points=[[3, 4], [9, 6]], angle=np.pi / 2),
            slice(2, 8),
            slice(5, 7),
        ),
        *(
            (
                thing(
                    "bitmap",
                    bitmap={"data": text(png(mode, slice(1, 3), slice(0, 2))), "origin": [5, 4]},
                ),
                slice(5, 7),
                slice(5, 7),
            )
            for mode in ("P", "L", "RGBA")
        ),
        (
            thing(
                "alpha_mask",
                bitmap={
                    "data": base64.b64encode(png("L", slice(1, 3), slice(0, 2))).decode(),
                    "origin": [-1, -2],
                },
            ),
            slice(0, 1),
            slice(0, 1),
        ),
        # Old projects have neither a type nor empty points.
        (
            {
                "classTitle": "box",
                "bitmap": {"data": text(png("P", slice(1, 3), slice(0, 2))), "origin": [18, 8]},
                "points": {"exterior": [], "interior": []},
            },
            slice(9, 10),
            slice(18, 20),
        ),
    ],
    ids=[
        *("rectangle", "rectangle from below", "polygon", "turned", "palette", "grey", "alpha"),
        *("alpha mask", "old"),
    ],
)
def test_shapes(drawn: dict[str, Any], rows: slice, columns: slice, tmp_path: Path) -> None:
    put(tmp_path, drawn)
    found = find_format(tmp_path)
    assert found is supervisely.FORMAT
    data = read(tmp_path)
    assert data.images[0].name == "pic"
    np.testing.assert_array_equal(ids(data), covered(rows, columns))
    assert list(data.notes) == []


def test_the_bitmap_of_the_documentation(tmp_path: Path) -> None:
    put(tmp_path, thing("bitmap", bitmap={"data": KNOWN, "origin": [4, 2]}))
    expected = covered(slice(2, 5), slice(4, 7))
    expected[3, 5:7] = 0
    np.testing.assert_array_equal(ids(read(tmp_path)), expected)


def test_holes_are_left_out(tmp_path: Path) -> None:
    hole = [[4, 3], [8, 3], [8, 6], [4, 6]]
    put(tmp_path, thing("polygon", **outline((2, 1), (12, 1), (12, 9), (2, 9), holes=(hole,))))
    expected = covered(slice(1, 9), slice(2, 12))
    expected[3:6, 4:8] = 0
    np.testing.assert_array_equal(ids(read(tmp_path)), expected)


def test_later_objects_lie_on_top(tmp_path: Path) -> None:
    disc = {"classTitle": "disc", **outline((0, 0), (4, 2))}
    put(tmp_path, BOX, disc)
    expected = covered(slice(1, 4), slice(2, 6))
    expected[0:2, 0:4] = 2
    np.testing.assert_array_equal(ids(read(tmp_path)), expected)
    put(tmp_path, disc, BOX)
    assert ids(read(tmp_path))[1, 3] == 1


def test_classes_are_those_of_the_project(tmp_path: Path) -> None:
    put(tmp_path, BOX)
    labels = read(tmp_path).labels
    assert labels.class_names == ("background", "box", "disc")
    assert labels.raw_ids == (0, 1, 2)
    assert labels.colors[1:] == ((255, 0, 16), (0, 255, 0))
    small = [{**each, "id": number} for number, each in zip((7, 3), CLASSES, strict=True)]
    put(tmp_path, BOX, meta={"classes": small})
    assert read(tmp_path).labels.raw_ids == (0, 7, 3)


def test_objects_without_an_area_are_counted(tmp_path: Path) -> None:
    nodes = {"a": {"loc": [1, 2]}}
    put(
        tmp_path,
        thing("line", **outline((1, 1), (2, 5))),
        thing("point", **outline((1, 1))),
        thing("graph", nodes=nodes),
        thing("cuboid_2d", vertices=nodes),
        BOX,
    )
    annotation = read(tmp_path).images[0].annotation
    assert isinstance(annotation, ShapeAnnotation)
    assert annotation.without_area == 4
    assert len(annotation.shapes) == 1


@pytest.mark.parametrize(
    ("folders", "names", "splits"),
    [
        (["ds0"], ["pic"], [""]),
        (["."], ["pic"], [""]),
        (["a", "b"], ["a/pic", "b/pic"], ["", ""]),
        (["train", "val"], ["train/pic", "val/pic"], ["training", "validation"]),
        (["a", "a/datasets/b"], ["pic", "b/pic"], ["", ""]),
        (["a/x/b"], ["x/b/pic"], [""]),
    ],
)
def test_data_sets(folders: list[str], names: list[str], splits: list[str], tmp_path: Path) -> None:
    for folder in folders:
        put(tmp_path, BOX, folder=folder)
    images = read(tmp_path).images
    assert [each.name for each in images] == names
    assert [each.split for each in images] == splits
    found = FolderData(root=tmp_path, uncovered="background").all_splits()
    assert set(found) == set(splits)
    if splits != [""] * len(splits):
        assert all(files.names == ("pic",) for files in found.values())


def test_old_annotations_leave_out_the_suffix(tmp_path: Path) -> None:
    put(tmp_path, BOX, name="pic.v2.png", ann_name="pic.v2.json")
    data = read(tmp_path)
    assert data.images[0].image.name == "pic.v2.png"
    assert data.images[0].name == "pic.v2"
    Image.new("RGB", (1, 1)).save(tmp_path / "ds0" / "img" / "pic.v2.bmp")
    with pytest.raises(InputError, match="2 images of its name"):
        read(tmp_path)


def test_images_without_an_annotation_are_noted(tmp_path: Path) -> None:
    put(tmp_path, BOX)
    Image.new("RGB", (1, 1)).save(tmp_path / "ds0" / "img" / "other.png")
    (note,) = read(tmp_path).notes
    assert "1 images have no annotation and are left out, such as ds0/img/other.png" in note


def test_an_annotation_without_an_image_is_refused(tmp_path: Path) -> None:
    put(tmp_path, BOX)
    (tmp_path / "ds0" / "img" / "pic.jpg").unlink()
    with pytest.raises(InputError, match=r"pic\.jpg\.json: its image is not in .*with its images"):
        read(tmp_path)


BITMAP = {"data": KNOWN, "origin": [0, 0]}


@pytest.mark.parametrize(
    ("things", "says"),
    [
        ([{**BOX, "classTitle": "cat"}], "the class cat, which meta.json does not list"),
        ([{**BOX, "classTitle": "background"}], "the class background, which meta"),
        ([thing("mask_3d")], "type `mask_3d` with 0 points; expected bitmaps"),
        ([thing("bitmap")], "type `bitmap` with 0 points"),
        ([thing("polygon")], "type `polygon` with 0 points"),
        ([{"classTitle": "box"}], "type `any` with 0 points"),
        ([thing("rectangle", **outline((1, 1)))], "type `rectangle` with 1 points"),
        ([thing("polygon", **outline((1, 1e12)))], "not Supervisely"),
        ([thing("polygon", points={"exterior": [[1]]})], "not Supervisely"),
        ([thing("oriented_bbox", points=[[3, 4], [9, 6]], angle=1e300)], "not Supervisely"),
        ([thing("bitmap", bitmap={"data": 3, "origin": [0, 0]})], "not Supervisely"),
        ([thing("bitmap", bitmap={**BITMAP, "origin": [1e300, 0]})], "not Supervisely"),
        ([thing("bitmap", bitmap={"data": KNOWN})], "not Supervisely"),
        (["box"], "not Supervisely"),
    ],
)
def test_mistakes_are_named(things: list[Any], says: str, tmp_path: Path) -> None:
    path = put(tmp_path, *things)
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("*", "not base64"),
        ("ü", "not base64"),
        (base64.b64encode(b"nothing").decode(), "not base64 of a compressed PNG"),
        (text(b"nothing"), "not an image"),
        (text(b""), "not an image"),
        (text(png("L", slice(0, 1), slice(0, 1))[:40]), "broken"),
        (base64.b64encode(base64.b64decode(KNOWN)[:-8]).decode(), "cut off"),
        # Fifty times as many bytes as an image of 200 pixels can have.
        (text(bytes(3_500_000)), "larger than its image"),
    ],
)
def test_broken_bitmaps_are_refused(data: str, says: str, tmp_path: Path) -> None:
    path = put(tmp_path, thing("bitmap", bitmap={"data": data, "origin": [0, 0]}))
    annotation = read(tmp_path).images[0].annotation
    with pytest.raises(InputError, match=says) as caught:
        annotation.read()
    assert str(caught.value).startswith(f"{path}: pic.jpg: ")


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ({"height": 0, "width": 5}, "greater than 0 at `size.height`"),
        ({"height": -5, "width": -5}, "greater than 0"),
        ({"height": 10**9}, "Field required at `size.width`"),
        ({"height": "x", "width": 5}, "not Supervisely"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(size: Any, says: str, tmp_path: Path) -> None:
    put(tmp_path, BOX, size=size)
    with pytest.raises(InputError, match=says):
        read(tmp_path)


def test_a_huge_image_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    put(tmp_path, BOX, size={"height": 10**9, "width": 10**9})
    annotation = read(tmp_path).images[0].annotation
    with pytest.raises(InputError, match="at most 120 million pixels"):
        annotation.read()


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"classes": []}, "names no classes"),
        ({"classes": [*CLASSES, CLASSES[0]]}, "two classes have the name box"),
        ({"classes": [{"title": 3}]}, "not the meta.json of Supervisely"),
        ({"classes": [{**CLASSES[0], "color": "red"}]}, "String should match pattern"),
        ({"classes": 4}, "not the meta.json of Supervisely"),
    ],
)
def test_mistakes_in_the_classes_are_named(meta: Any, says: str, tmp_path: Path) -> None:
    put(tmp_path, BOX, meta=meta)
    assert supervisely.recognise(tmp_path)
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "meta.json"))


def test_a_folder_without_classes_is_not_one(tmp_path: Path) -> None:
    put(tmp_path, BOX)
    (tmp_path / "meta.json").unlink()
    assert not supervisely.recognise(tmp_path)
    with pytest.raises(InputError, match=r"meta\.json: no such file"):
        read(tmp_path)


def test_mutated_files_give_no_other_errors(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        BOX,
        thing("bitmap", bitmap=BITMAP),
        thing("polygon", "disc", **outline((1, 2), (5, 2), (5, 9), holes=([[2, 3], [3, 3]],))),
        thing("line", **outline((1, 1), (2, 5))),
    )
    for changed in (path, tmp_path / "meta.json"):
        good = changed.read_bytes()
        for content in mutated(good, 100):
            changed.write_bytes(content)
            supervisely.recognise(tmp_path)
            try:
                for each in read(tmp_path).images:
                    each.annotation.read()
            except InputError:
                continue
        changed.write_bytes(good)
