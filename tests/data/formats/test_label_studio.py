"""Label Studio: its JSON export and its brush masks, from files as it writes them."""

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.data.formats.mutations import mutated

from sceneparse.data.datasets.annotated_folder import read_annotated
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats import label_studio, label_studio_brush, label_studio_masks
from sceneparse.data.formats.annotation_format import AnnotatedData, ReadOptions, Uncovered
from sceneparse.data.formats.rasterizer import read_counting
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError

WIDTH, HEIGHT = 20, 10
GOOD = label_studio_brush.encode(np.arange(60).reshape(6, 10) % 7 > 3)


def put_image(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def put_mask(path: Path, rows: slice, columns: slice, mode: str = "L") -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[rows, columns] = 255
    image = Image.fromarray(mask)
    if mode == "RGBA":
        white = Image.new("L", (WIDTH, HEIGHT), 255)
        image = Image.merge("RGBA", (white, white, white, image))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def region(kind: str, label: str | None = "box", **value: Any) -> dict[str, Any]:
    if label is not None:
        value.setdefault(f"{kind}labels", [label])
    return {
        "id": "r1",
        "type": f"{kind}labels",
        "from_name": "tag",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
    }


def box(label: str = "box", **more: Any) -> dict[str, Any]:
    """A rectangle on columns 2..5 and rows 1..3."""
    return region("rectangle", label, x=10, y=10, width=20, height=30, rotation=0, **more)


def task(*results: dict[str, Any], image: str = "pic.png", **more: Any) -> dict[str, Any]:
    annotation = {"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}
    return {"id": 1, "annotations": [annotation], "data": {"image": image}, **more}


def put_tasks(root: Path, *tasks: Any, images: Iterable[str] = ("pic.png",)) -> Path:
    for name in images:
        put_image(root / name)
    path = root / "project-1.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def read(root: Path, uncovered: Uncovered = "background") -> AnnotatedData:
    return label_studio.read(root, ReadOptions(uncovered))


def read_masks(root: Path) -> AnnotatedData:
    return label_studio_masks.read(root, ReadOptions("background"))


def named(data: AnnotatedData, index: int = 0) -> NDArray[np.str_]:
    """The names of the classes of an image, `-` for the background."""
    names = np.full(256, "?", "<U20")
    names[list(data.labels.raw_ids)] = data.labels.class_names
    pixels = names[data.images[index].annotation.read()]
    pixels[pixels == "background"] = "-"
    return pixels


def covered(rows: slice, columns: slice, label: str = "box") -> NDArray[np.str_]:
    expected = np.full((HEIGHT, WIDTH), "-", "<U20")
    expected[rows, columns] = label
    return expected


def bits_of(values: list[int]) -> list[int]:
    """Code values one after another as Label Studio does: counts of 3, 4, 8 and 16 bits."""
    text = f"{len(values):032b}" + "00111" + "0010" + "0011" + "0111" + "1111"
    at = 0
    while at < len(values):
        count = 1
        while at + count < len(values) and values[at + count] == values[at] and count < 65536:
            count += 1
        size = next(bits for bits in (3, 4, 8, 16) if count <= 1 << bits)
        index = {3: "00", 4: "01", 8: "10", 16: "11"}[size]
        text += f"{int(count > 1)}{index}{count - 1:0{size}b}{values[at]:08b}"
        at += count
    text += "0" * (8 - len(text) % 8)
    return [int(text[start : start + 8], 2) for start in range(0, len(text), 8)]


def rgba(alpha: NDArray[np.bool_]) -> list[int]:
    values = np.full((*alpha.shape, 4), 7)
    values[..., 3] = alpha * 255
    return values.ravel().tolist()


class TestShapes:
    @pytest.mark.parametrize(
        ("drawn", "rows", "columns"),
        [
            (box(), slice(1, 4), slice(2, 6)),
            (
                region("polygon", points=[[10, 10], [30, 10], [30, 40], [10, 40]], closed=True),
                slice(1, 4),
                slice(2, 6),
            ),
            # Turned around its upper left corner, (8, 2): 6 pixels long, 3 pixels high.
            (
                region("rectangle", x=40, y=20, width=30, height=30, rotation=90),
                slice(2, 8),
                slice(5, 8),
            ),
            # Without the size of the image, which the percentages then refer to.
            ({**box(), "original_width": None, "original_height": None}, slice(1, 4), slice(2, 6)),
            ({**box(), "type": "RectangleLabels"}, slice(1, 4), slice(2, 6)),
        ],
        ids=["rectangle", "polygon", "turned rectangle", "without size", "old type"],
    )
    def test_percent_become_pixels(
        self, drawn: dict[str, Any], rows: slice, columns: slice, tmp_path: Path
    ) -> None:
        put_tasks(tmp_path, task(drawn))
        data = read(tmp_path)
        assert data.images[0].name == "pic"
        assert data.labels.class_names == ("background", "box")
        np.testing.assert_array_equal(named(data), covered(rows, columns))
        assert data.notes == []

    @pytest.mark.parametrize("rotation", [0, 90, 30])
    def test_an_ellipse_is_turned_in_pixels(self, rotation: int, tmp_path: Path) -> None:
        drawn = region("ellipse", x=50, y=50, radiusX=20, radiusY=20, rotation=rotation)
        put_tasks(tmp_path, task(drawn))
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        angle = np.radians(rotation)
        along = (x - 10) * np.cos(angle) + (y - 5) * np.sin(angle)
        across = (y - 5) * np.cos(angle) - (x - 10) * np.sin(angle)
        distance = (along / 4) ** 2 + (across / 2) ** 2
        found = named(read(tmp_path)) == "box"
        assert found[distance < 0.8].all()
        assert not found[distance > 1.25].any()

    def test_later_regions_lie_on_top(self, tmp_path: Path) -> None:
        large = region("rectangle", "large", x=0, y=0, width=100, height=100)
        put_tasks(
            tmp_path,
            task(box(), large),
            task(large, box(), image="b.png"),
            images=["pic.png", "b.png"],
        )
        data = read(tmp_path)
        assert set(named(data).ravel()) == {"large"}
        assert set(named(data, 1).ravel()) == {"large", "box"}

    def test_a_brush_is_read_from_its_alpha(self, tmp_path: Path) -> None:
        alpha = np.zeros((HEIGHT, WIDTH), np.bool_)
        alpha[1:4, 2:6] = True
        put_tasks(tmp_path, task(region("brush", format="rle", rle=bits_of(rgba(alpha)))))
        np.testing.assert_array_equal(named(read(tmp_path)), covered(slice(1, 4), slice(2, 6)))

    def test_a_bitmask_is_read_from_its_alpha(self, tmp_path: Path) -> None:
        put_mask(tmp_path / "m.png", slice(1, 4), slice(2, 6), "RGBA")
        content = base64.b64encode((tmp_path / "m.png").read_bytes()).decode()
        (tmp_path / "m.png").unlink()
        url = f"data:image/png;base64,{content}"
        put_tasks(tmp_path, task(region("bitmask", imageDataURL=url)))
        np.testing.assert_array_equal(named(read(tmp_path)), covered(slice(1, 4), slice(2, 6)))

    def test_a_region_and_its_labels_may_be_two_results(self, tmp_path: Path) -> None:
        numbers = {"x": 10, "y": 10, "width": 20, "height": 30}
        shape = {**box(), "type": "rectangle", "value": numbers}
        labels = {**shape, "type": "labels", "value": {**numbers, "labels": ["box"]}}
        put_tasks(tmp_path, task(shape, labels))
        data = read(tmp_path)
        np.testing.assert_array_equal(named(data), covered(slice(1, 4), slice(2, 6)))
        assert data.notes == []

    def test_results_without_an_area_are_counted_or_left_out(self, tmp_path: Path) -> None:
        others = [
            {"type": "choices", "value": {"choices": ["good"], "points": "none", "x": {}}},
            {"type": "textarea", "value": 3},
            {"type": "relation", "from_id": "a", "to_id": "b", "labels": []},
            {"type": "labels", "value": {"start": 1, "end": 2, "labels": ["word"]}},
            {"type": 5, "value": None},
        ]
        points = [
            region("keypoint", x=10, y=10, width=1),
            region("vector", "line", closed=False, vertices=[{"x": 1, "y": 2}]),
        ]
        put_tasks(tmp_path, task(*others, *points, box()))
        data = read(tmp_path)
        assert read_counting(data.images[0].annotation).without_area == 2
        assert data.labels.class_names == ("background", "box")

    def test_regions_without_a_label_are_noted(self, tmp_path: Path) -> None:
        unlabelled = region("rectangle", None, x=50, y=50, width=10, height=10)
        put_tasks(tmp_path, task({**unlabelled, "id": "r2"}, box()))
        data = read(tmp_path)
        np.testing.assert_array_equal(named(data), covered(slice(1, 4), slice(2, 6)))
        assert data.notes == ["1 regions have no label and are left out"]


class TestBrush:
    def test_a_stream_worked_out_by_hand(self) -> None:
        bits = (
            "00000000000000000000000000001000"
            "00111"
            "0010001101111111"
            "1"
            "00"
            "010"
            "00001001"
            "0"
            "01"
            "0100"
            "00000000"
            "00000001"
            "00000010"
            "00000011"
            "00000100"
        )
        bits += "0" * (-len(bits) % 8)
        rle = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        # Eight values, of which 9 repeats three times: the pixels are 9 9 9 0 and 1 2 3 4.
        assert label_studio_brush.decode(rle, 1, 2).tolist() == [[False, True]]

    def test_bytes_of_label_studio(self) -> None:
        # From the tests of label-studio-converter: `encode_rle` of 18 values, here the first 16.
        values = [1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 4, 4, 4, 4, 4, 4, 4, 4]
        known = [0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32]
        assert bits_of(values) == known
        with pytest.raises(InputError, match="of 18 values, expected 4×2×2"):
            label_studio_brush.decode(bytes(known), 2, 2)
        assert label_studio_brush.decode(bytes(bits_of(values[:16])), 2, 2).all()

    @pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 40), (150, 200)])
    def test_writing_gives_the_bytes_of_label_studio(self, size: tuple[int, int]) -> None:
        rng = np.random.default_rng(3)
        for pixels in (rng.random(size) < 0.5, np.zeros(size, np.bool_), np.ones(size, np.bool_)):
            values = np.repeat(pixels.ravel() * 255, 4).tolist()
            found = label_studio_brush.encode(pixels)
            assert list(found) == bits_of(values)
            np.testing.assert_array_equal(label_studio_brush.decode(found, *size), pixels)

    @pytest.mark.parametrize(
        "rle",
        [
            b"",
            GOOD[:6],
            GOOD[:9],
            GOOD[:-3],
            b"\xff" * 40,
            bytes(40),
            GOOD[:4] + b"\xff" + GOOD[5:],
            b"\xff\xff\xff\xff" + GOOD[4:],
        ],
    )
    def test_broken_streams_are_refused(self, rle: bytes) -> None:
        with pytest.raises(InputError, match=r"brush strokes .*export the annotations again"):
            label_studio_brush.decode(rle, 6, 10)


class TestTasks:
    def test_ground_truth_else_the_last_annotation_is_read(self, tmp_path: Path) -> None:
        def annotation(label: str, **more: Any) -> dict[str, Any]:
            return {"result": [box(label)], **more}

        names = ["a.png", "b.png", "c.png", "d.png", "e.png"]
        annotations = [
            [annotation("first"), annotation("last")],
            [annotation("truth", ground_truth=True), annotation("last")],
            [annotation("first"), annotation("cancelled", was_cancelled=True)],
            [annotation("cancelled", was_cancelled=True)],
            [],
        ]
        put_tasks(
            tmp_path,
            *(
                {"id": number, "data": {"image": name}, "annotations": each}
                for number, (name, each) in enumerate(zip(names, annotations, strict=True))
            ),
            images=names,
        )
        data = read(tmp_path)
        assert [set(named(data, index).ravel()) - {"-"} for index in range(3)] == [
            {"last"},
            {"truth"},
            {"first"},
        ]
        assert len(data.images) == 3
        assert data.labels.class_names == ("background", "first", "last", "truth")
        assert data.notes[0] == "2 tasks have no annotation and are left out"
        assert data.notes[1].startswith("2 tasks have several annotations")
        assert data.notes[2].startswith("2 images have no annotation")

    def test_the_older_name_of_annotations(self, tmp_path: Path) -> None:
        old = {"id": 1, "data": {"image": "pic.png"}, "completions": [{"result": [box()]}]}
        put_tasks(tmp_path, old)
        assert label_studio.recognise(tmp_path)
        np.testing.assert_array_equal(named(read(tmp_path)), covered(slice(1, 4), slice(2, 6)))

    @pytest.mark.parametrize(
        ("written", "file"),
        [
            ("/data/upload/1/1f00abcd-pic.png", "images/1f00abcd-pic.png"),
            ("/data/upload/1/1f00abcd-pic.png", "pic.png"),
            ("/data/upload/1/1f00abcd-%C3%BCber%20uns.png", "über uns.png"),
            ("https://host/a/pic.png?X-Amz=1&d%5B%5D=2", "pic.png"),
            ("/data/local-files/?d=set/day%202/pic.png", "day 2/pic.png"),
            ("/data/local-files/?d=set%5Cday2%5Cpic.png", "day2/pic.png"),
            ("s3://bucket/key/pic#1.png", "pic#1.png"),
            ("gs://bucket/key/pic.png", "pic.png"),
            ("/tasks/7/resolve/?fileuri=czM6Ly9idWNrZXQvYS9waWMucG5n", "pic.png"),
            ("C:\\photos\\pic.png", "pic.png"),
            ("100%25.png", "100%25.png"),
        ],
    )
    def test_images_are_found_as_tasks_name_them(
        self, written: str, file: str, tmp_path: Path
    ) -> None:
        put_tasks(tmp_path, task(box(), image=written), images=[file])
        assert read(tmp_path).images[0].image == tmp_path / file

    def test_the_name_with_the_digits_comes_first(self, tmp_path: Path) -> None:
        written = "/data/upload/1/1f00abcd-pic.png"
        put_tasks(tmp_path, task(box(), image=written), images=["pic.png", "x/1f00abcd-pic.png"])
        assert read(tmp_path).images[0].image == tmp_path / "x" / "1f00abcd-pic.png"

    def test_the_image_may_have_any_key(self, tmp_path: Path) -> None:
        drawn = task(box())
        drawn["data"] = {"note": "of a car", "photo": "/data/upload/3/pic.png", "size": 3}
        put_tasks(tmp_path, drawn)
        assert read(tmp_path).images[0].image == tmp_path / "pic.png"

    def test_folders_give_splits(self, tmp_path: Path) -> None:
        files = ["images/train/a.png", "images/val/a.png"]
        tasks = [task(box(), image=f"/data/local-files/?d={file}") for file in files]
        put_tasks(tmp_path, *tasks, images=files)
        splits = FolderData(root=tmp_path, uncovered="background").all_splits()
        assert {name: files.names for name, files in splits.items()} == {
            "training": ("a",),
            "validation": ("a",),
        }

    def test_a_list_of_classes_fixes_their_ids(self, tmp_path: Path) -> None:
        put_tasks(tmp_path, task(box()))
        (tmp_path / "labels.yaml").write_text("classes: {0: background, 5: disc, 9: box}\n")
        data = FolderData(root=tmp_path, uncovered="background")
        assert data.find_labels().raw_ids == (0, 5, 9)
        assert set(data.all_splits()[""].annotations[0].read().ravel()) == {0, 9}
        kind = data.all_splits()[""].annotation_kind
        (tmp_path / "labels.yaml").write_text("classes: {0: background, 5: box, 9: disc}\n")
        assert data.all_splits()[""].annotation_kind != kind


class TestErrors:
    @pytest.mark.parametrize(
        ("tasks", "says"),
        [
            ([task(box(), image="other.png")], r"project-1\.json: names the image other\.png, but"),
            ([task(box(), image="../../etc/passwd")], "it is not there"),
            ([task({**box(), "image_rotation": 90})], r"task 1: the image was turned by 90°"),
            ([task({**box(), "item_index": 1})], "several images"),
            ([task(box(rectanglelabels=["box", "disc"]))], "labels box and disc.*one label"),
            ([task(box(), {**box(), "original_width": 9})], "20×10 and 9×10 pixels"),
            (
                [task({**box(), "original_width": 0})],
                r"greater than 0 at `0\.annotations\.0\.result",
            ),
            ([task(region("rectangle", x=1, y=2))], "`rectanglelabels` without its shape"),
            ([task(region("brush", format="rle"))], "`brushlabels` without its shape"),
            ([task(region("brush", rle="abc"))], r"list of numbers in 0\.\.255"),
            ([task(region("brush", rle=[1, 256]))], r"list of numbers in 0\.\.255"),
            ([task(region("brush", rle=[1, "a"]))], r"list of numbers in 0\.\.255"),
            ([task(region("polygon", points=[[1, 2, 3]]))], "not Label Studio JSON"),
            ([task(region("polygon", points=[[1, 1e300]]))], "less than or equal to 100000"),
            ([task(region("ellipse", x=1, y=1, radiusX=-1, radiusY=1))], "greater than or equal"),
            ([task(region("bitmask", imageDataURL="data:image/png;base64,*"))], "not in base64"),
            ([task(region("vector", closed=True))], "closed vector"),
            ([{**task(box()), "data": {}}], "names 0 images in its data"),
            ([{**task(box()), "data": {"a": "1.png", "b": "2.png"}}], "names 2 images"),
            ([{**task(box()), "data": {"image": ["pic.png"]}}], "names 0 images"),
            ([{**task(box()), "data": "pic.png"}], "not Label Studio JSON.*`0.data`"),
            ([{**task(), "annotations": []}], "none of 1 tasks has an annotation"),
            ([task()], "names no classes"),
            ([7, {"data": {}, "annotations": []}], "not Label Studio JSON"),
        ],
    )
    def test_mistakes_are_named(self, tasks: list[Any], says: str, tmp_path: Path) -> None:
        put_tasks(tmp_path, *tasks)
        assert label_studio.recognise(tmp_path)
        with pytest.raises(InputError, match=says):
            read(tmp_path)

    def test_the_short_export_is_refused_with_the_fix(self, tmp_path: Path) -> None:
        put_tasks(tmp_path, {"id": 1, "image": "pic.png", "annotation_id": 2, "lead_time": 1.5})
        assert label_studio.recognise(tmp_path)
        with pytest.raises(InputError, match=r"JSON-MIN.*export the project as JSON"):
            read(tmp_path)

    @pytest.mark.parametrize("text", ["", "[", "[" * 100_000, '[{"data": ', "[1e999]", "{}"])
    def test_files_that_are_no_json_are_refused(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "project.json").write_text(text)
        assert not label_studio.recognise(tmp_path)
        with pytest.raises(InputError):
            read(tmp_path)

    def test_two_images_of_a_name_are_refused(self, tmp_path: Path) -> None:
        put_tasks(tmp_path, task(box()), images=["a/pic.png", "b/pic.png"])
        with pytest.raises(InputError, match="there are 2 of this name"):
            read(tmp_path)

    def test_a_task_twice_is_refused(self, tmp_path: Path) -> None:
        put_tasks(tmp_path, task(box()), task(box()))
        with pytest.raises(InputError, match="annotated twice"):
            read_annotated(tmp_path, label_studio.FORMAT, ReadOptions("background"))

    def test_a_brush_of_another_size_is_refused(self, tmp_path: Path) -> None:
        rle = list(label_studio_brush.encode(np.ones((3, 3), np.bool_)))
        put_tasks(tmp_path, task(region("brush", format="rle", rle=rle)))
        annotation = read(tmp_path).images[0].annotation
        with pytest.raises(InputError, match=r"project-1\.json: pic\.png: .* expected 4×20×10"):
            annotation.read()

    def test_a_huge_image_is_refused_before_memory_is_taken(self, tmp_path: Path) -> None:
        drawn = {**box(), "original_width": 10**9, "original_height": 10**9}
        put_tasks(tmp_path, task(drawn))
        annotation = read(tmp_path).images[0].annotation
        with pytest.raises(InputError, match="at most 120 million pixels"):
            annotation.read()

    def test_long_names_are_not_found(self, tmp_path: Path) -> None:
        put_tasks(tmp_path, task(box(), image="x" * 5000 + ".png"))
        with pytest.raises(InputError, match="it is not there"):
            read(tmp_path)

    def test_mutated_files_give_no_other_errors(self, tmp_path: Path) -> None:
        rle = list(label_studio_brush.encode(np.ones((HEIGHT, WIDTH), np.bool_)))
        path = put_tasks(
            tmp_path,
            task(
                box(),
                region("brush", format="rle", rle=rle),
                region("polygon", "b", points=[[1, 2], [30, 40], [50, 6]]),
                region("ellipse", x=50, y=50, radiusX=20, radiusY=20, rotation=3),
                region("keypoint", x=10, y=10, width=1),
            ),
        )
        for content in mutated(path.read_bytes(), 150):
            path.write_bytes(content)
            label_studio.recognise(tmp_path)
            try:
                for each in read(tmp_path).images:
                    each.annotation.read()
            except InputError:
                continue


class TestMasks:
    def put(self, root: Path) -> None:
        for number in (0, 1):
            put_image(root / "images" / f"{number}f00-pic.png")
            prefix = f"masks/task-{number}-annotation-{number + 5}-by-1-tag"
            put_mask(root / f"{prefix}-box-0.png", slice(0, 6), slice(0, 9))
            put_mask(root / f"{prefix}-box-1.png", slice(0, 2), slice(12, 14), "RGBA")
            put_mask(root / f"{prefix}-disc-0.png", slice(1, 3), slice(2, 4))

    def assert_read(self, data: AnnotatedData) -> None:
        expected = covered(slice(0, 6), slice(0, 9))
        expected[0:2, 12:14] = "box"
        expected[1:3, 2:4] = "disc"
        for index in range(len(data.images)):
            np.testing.assert_array_equal(named(data, index), expected)

    def test_masks_are_joined_by_the_numbers_of_images(self, tmp_path: Path) -> None:
        self.put(tmp_path)
        found = find_format(tmp_path)
        assert found is label_studio_masks.FORMAT
        data = read_masks(tmp_path)
        assert [each.name for each in data.images] == ["0f00-pic", "1f00-pic"]
        assert data.labels.class_names == ("background", "box", "disc")
        self.assert_read(data)
        (note,) = data.notes
        assert "matched by the first number in the names of images" in note
        assert "task-0-annotation-5-by-1-tag-box-0.png with 0f00-pic.png" in note

    @pytest.mark.parametrize("short", [False, True], ids=["tasks", "JSON-MIN"])
    def test_a_list_of_tasks_says_which_image(self, short: bool, tmp_path: Path) -> None:
        self.put(tmp_path)
        for number, name in enumerate(("aa11bb22-cat.png", "dog.png")):
            (tmp_path / "images" / f"{number}f00-pic.png").rename(tmp_path / "images" / name)
        data = [{"image": "/data/upload/1/aa11bb22-cat.png"}, {"image": "dog.png"}]
        entries = [
            {"id": number, "annotation_id": 1, "lead_time": 2, **each}
            if short
            else {"id": number, "data": each}
            for number, each in enumerate(data)
        ]
        (tmp_path / "list.json").write_text(json.dumps([*entries, {"id": "x", "data": {}}]))
        assert find_format(tmp_path) is label_studio_masks.FORMAT
        read_data = read_masks(tmp_path)
        assert [each.name for each in read_data.images] == ["aa11bb22-cat", "dog"]
        self.assert_read(read_data)
        assert list(read_data.notes) == []

    def test_a_json_export_is_preferred_to_masks(self, tmp_path: Path) -> None:
        self.put(tmp_path)
        put_tasks(tmp_path, task(box(), image="0f00-pic.png", id=0), images=[])
        assert find_format(tmp_path) is label_studio.FORMAT
        notes = read(tmp_path).notes
        assert notes[0].startswith("1 images have no annotation")
        assert notes[1].startswith("6 brush masks, such as task-0-annotation-5")
        with pytest.raises(InputError, match=r"lacks 1 of the tasks that have masks, such as 1"):
            read_masks(tmp_path)

    @pytest.mark.parametrize(
        ("rest", "label"),
        [
            ("1-tag-box", "box"),
            ("a@b.c-tag-two words", "two words"),
            ("a-b@c.d-tag-x", "x"),
            ("-tag-box", "box"),
            ("1-tag-price-tag-3", "price-tag-3"),
            ("1-brush-box", "box"),
            ("1-tag-a%2Fb%20c", "a/b c"),
            ("1-tag-地面-ø", "地面-ø"),
            ("1-tag-100%", "100%"),
        ],
    )
    def test_labels_in_names(self, rest: str, label: str, tmp_path: Path) -> None:
        put_image(tmp_path / "3.png")
        put_mask(tmp_path / f"task-3-annotation-1-by-{rest}-0.png", slice(0, 2), slice(0, 2))
        assert read_masks(tmp_path).labels.class_names == ("background", label)

    def test_the_last_annotation_is_read(self, tmp_path: Path) -> None:
        put_image(tmp_path / "3.png")
        put_image(tmp_path / "4.png")
        put_mask(tmp_path / "task-3-annotation-9-by-1-tag-old-0.png", slice(0, 9), slice(0, 9))
        put_mask(tmp_path / "task-3-annotation-10-by-2-tag-box-0.png", slice(0, 2), slice(0, 2))
        data = read_masks(tmp_path)
        np.testing.assert_array_equal(named(data), covered(slice(0, 2), slice(0, 2)))
        assert "1 tasks have several annotations" in data.notes[1]
        assert data.notes[2].startswith("1 images have no annotation and are left out")

    def test_a_list_of_classes_does_not_make_them_own_masks(self, tmp_path: Path) -> None:
        self.put(tmp_path)
        (tmp_path / "labels.yaml").write_text("classes: [background, disc, box]\n")
        files = FolderData(root=tmp_path, uncovered="background").all_splits()[""]
        assert files.labels.class_names == ("background", "disc", "box")
        assert set(files.mask(0).ravel()) == {0, 1, 2}

    @pytest.mark.parametrize(
        ("images", "says"),
        [
            (["a.png"], "no number in the names of the images tells it.*as JSON too"),
            (["3a.png", "3b.png"], "no number"),
            (["4.png"], "no number"),
            # The digits before the name of an upload are random.
            (["3f00abcd-pic.png"], "no number"),
            ([], "no number"),
        ],
    )
    def test_unclear_images_are_refused(self, images: list[str], says: str, tmp_path: Path) -> None:
        put_mask(tmp_path / "task-3-annotation-1-by-1-tag-box-0.png", slice(0, 2), slice(0, 2))
        for name in images:
            put_image(tmp_path / name)
        with pytest.raises(InputError, match=says):
            read_masks(tmp_path)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ('[{"id": 3, "data": {"image": "b.png"}}]', "names the image b.png"),
            ('[{"id": 3, "data": {}}]', "names 0 images"),
            ('[{"id": [3], "data": {"image": "3.png"}}]', "lacks 1 of the tasks"),
            ('[{"id": 3, "data": 5}]', "lacks 1 of the tasks"),
            ('[{"id": 3, "data": {"image": "3.png"}}', "a list of tasks of Label Studio"),
        ],
    )
    def test_wrong_lists_are_refused(self, text: str, says: str, tmp_path: Path) -> None:
        put_image(tmp_path / "3.png")
        put_mask(tmp_path / "task-3-annotation-1-by-1-tag-box-0.png", slice(0, 2), slice(0, 2))
        (tmp_path / "list.json").write_text(text)
        with pytest.raises(InputError, match=says):
            read_masks(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
    def test_broken_masks_are_refused(self, content: bytes, tmp_path: Path) -> None:
        put_image(tmp_path / "3.png")
        path = tmp_path / "task-3-annotation-1-by-1-tag-box-0.png"
        path.write_bytes(content)
        annotation = read_masks(tmp_path).images[0].annotation
        with pytest.raises(InputError, match=path.name):
            annotation.read()

    def test_a_mask_of_another_size_is_refused(self, tmp_path: Path) -> None:
        put_image(tmp_path / "3.png", (8, 8))
        put_mask(tmp_path / "task-3-annotation-1-by-1-tag-box-0.png", slice(0, 2), slice(0, 2))
        annotation = read_masks(tmp_path).images[0].annotation
        with pytest.raises(InputError, match=r"20×10 pixels, expected 8×8"):
            annotation.read()

    def test_an_image_bomb_is_refused(self, tmp_path: Path) -> None:
        put_image(tmp_path / "3.png")
        content = io.BytesIO()
        Image.new("1", (12_000, 11_000)).save(content, "PNG")
        (tmp_path / "task-3-annotation-1-by-1-tag-box-0.png").write_bytes(content.getvalue())
        annotation = read_masks(tmp_path).images[0].annotation
        with pytest.raises(InputError, match="at most 120 million pixels"):
            annotation.read()
