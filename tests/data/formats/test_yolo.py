"""Tests of YOLO segmentation: layouts, splits with paths of other machines, and broken files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.formats.rasterizer import read_counting
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError

# The left half of an image.
LEFT = "0 0 0 0.5 0 0.5 1 0 1"
TOP_LEFT = "1 0 0 0.5 0 0.5 0.5 0 0.5"


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def put_image(root: Path, path: str, size: tuple[int, int] = (4, 4)) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(root / path)


def put_pair(root: Path, image: str, label: str, text: str = LEFT) -> None:
    put_image(root, image)
    put(root, label, text)


def opened(root: Path, name: str = "auto") -> dict[str, PairedFiles]:
    return FolderData(root=root, format=name, uncovered="background").all_splits()


def names_of(splits: dict[str, PairedFiles]) -> dict[str, list[str]]:
    return {split: list(files.names) for split, files in splits.items()}


def error_of(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        opened(root, "yolo")
    return str(caught.value)


def make(root: Path, config: str = "names: [cat, dog]\n", text: str = LEFT) -> Path:
    put(root, "data.yaml", config)
    put_pair(root, "images/a.png", "labels/a.txt", text)
    return root


def test_polygons_are_drawn_and_smaller_ones_lie_on_top(tmp_path: Path) -> None:
    files = opened(make(tmp_path, text=f"{TOP_LEFT}\n\n{LEFT}\r\n"))[""]
    assert files.labels.class_names == ("background", "cat", "dog")
    assert files.labels.raw_ids == (2, 0, 1)
    assert files.annotations[0].read().tolist() == [[1, 1, 2, 2]] * 2 + [[0, 0, 2, 2]] * 2
    counted = read_counting(files.annotations[0])
    assert counted.overlapped == 4


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("names: [cat, dog]", {0: "cat", 1: "dog"}),
        ("names: {0: cat, 1: dog}", {0: "cat", 1: "dog"}),
        ('{"names": {"0": "cat", "7": "dog"}}', {0: "cat", 7: "dog"}),
        ("names:\n  - 3\n  - 'on'\nnc: 2", {0: "3", 1: "on"}),
    ],
)
def test_names_are_a_list_or_a_mapping_whose_ids_are_kept(
    config: str, expected: dict[int, str], tmp_path: Path
) -> None:
    labels = opened(make(tmp_path, config))[""].labels
    found = dict(zip(labels.raw_ids, labels.class_names, strict=True))
    assert found == {**expected, 1 if 7 in expected else 2: "background"}


def test_a_list_of_classes_takes_the_place_of_the_yaml(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "data.yaml").unlink()
    put(tmp_path, "classes.txt", "cat\ndog\n\n")
    put(tmp_path, "labels/classes.txt", "cat\ndog\n")
    files = opened(tmp_path)[""]
    assert files.labels.class_names == ("background", "cat", "dog")
    assert files.notes == ()


@pytest.mark.parametrize("name", ["data.yaml", "dataset.yaml", "coco8-seg.yaml", "mine.yml"])
def test_the_folder_is_recognised(name: str, tmp_path: Path) -> None:
    put(tmp_path, name, "# mine\nnames:\n  0: cat\n")
    put_pair(tmp_path, "images/a.png", "labels/a.txt")
    found = find_format(tmp_path)
    assert found is not None
    assert found.name == "yolo"
    assert recognise(tmp_path) is None


def test_own_folders_are_not_recognised(tmp_path: Path) -> None:
    put(tmp_path, "labels.yaml", "classes: [cat]\nnames: [cat]\n")
    put_image(tmp_path, "images/a.png")
    put_image(tmp_path, "labels/a.png")
    put(tmp_path, "labels/readme.txt")
    assert find_format(tmp_path) is None
    put(tmp_path, "config.yaml", "names: [a]\n")
    (tmp_path / "labels/readme.txt").unlink()
    assert find_format(tmp_path) is None


@pytest.mark.parametrize(
    ("train", "image", "label"),
    [
        ("images/train", "images/train/{}.jpg", "labels/train/{}.txt"),
        ("../train/images", "train/images/{}.jpg", "train/labels/{}.txt"),
        ("/home/me/set/images/train", "images/train/{}.jpg", "labels/train/{}.txt"),
        ("C:\\sets\\mine\\train\\images", "train/images/{}.jpg", "train/labels/{}.txt"),
        ("../other/folder", "train/images/{}.jpg", "train/labels/{}.txt"),
        ("[images/train/]", "images/train/{}.jpg", "labels/train/{}.txt"),
        ("list.txt", "images/{}.jpg", "labels/{}.txt"),
        ("images/train2017", "images/train2017/x/{}.jpg", "labels/train2017/x/{}.txt"),
        ("images", "images/{}.jpg", "labels/{}.txt"),
        (".", "images/{}.jpg", "labels/{}.txt"),
        ("train", "train/{}.jpg", "train/{}.txt"),
    ],
)
def test_paths_of_splits_are_found_in_the_folder(
    train: str, image: str, label: str, tmp_path: Path
) -> None:
    put(tmp_path, "data.yaml", f"train: {train}\nval: ../valid/images\ntest:\nnames: [cat]\n")
    put(tmp_path, "list.txt", "./images/a.jpg\n\n/home/me/images/b.jpg\n")
    for name in "ab":
        put_pair(tmp_path, image.format(name), label.format(name))
    splits = opened(tmp_path, "yolo")
    assert names_of(splits) == {"training": ["a", "b"]}
    assert splits["training"].annotations[0].read()[0].tolist() == [0, 0, 1, 1]
    (note,) = splits["training"].notes
    assert "../valid/images for validation, which is not there" in note


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    put_pair(tmp_path, "images/train/out.png", "labels/train/out.txt")
    root = tmp_path / "data"
    put(root, "data.yaml", f"path: {tmp_path}\ntrain: ../images/train\nnames: [cat]\n")
    put_pair(root, "images/in.png", "labels/in.txt")
    splits = opened(root)
    assert names_of(splits) == {"": ["in"]}
    put(root, "data.yaml", "train: train.txt\nnames: [cat]\n")
    put(root, "train.txt", f"{tmp_path}/images/train/out.png\n")
    assert "out.png, but it is not there" in error_of(root)


def test_paths_are_relative_to_the_path_of_the_yaml(tmp_path: Path) -> None:
    put(tmp_path, "data.yaml", "path: ../sets/mine\ntrain: a\nval: b\nnames: [cat]\n")
    for name in "ab":
        put_pair(tmp_path, f"mine/{name}/images/{name}.png", f"mine/{name}/labels/{name}.txt")
    assert names_of(opened(tmp_path, "yolo")) == {"training": ["a"], "validation": ["b"]}


def test_without_paths_the_folders_name_the_splits(tmp_path: Path) -> None:
    put(tmp_path, "data.yaml", "names: [cat]\n")
    for split in ("train", "valid", "test"):
        put_pair(tmp_path, f"{split}/images/{split}.png", f"{split}/labels/{split}.txt")
    assert names_of(opened(tmp_path)) == {
        "training": ["train"],
        "validation": ["valid"],
        "test": ["test"],
    }
    put_image(tmp_path, "preview.png")
    assert opened(tmp_path).keys() == {"training", "validation", "test"}


def test_a_split_given_twice_and_unused_files_are_noted(tmp_path: Path) -> None:
    put(tmp_path, "data.yaml", "train: images/a\nval: images/a\nnames: [cat]\n")
    put_pair(tmp_path, "images/a/x.png", "labels/a/x.txt")
    put_image(tmp_path, "images/a/y.png")
    put_image(tmp_path, "images/b/z.png")
    put(tmp_path, "labels/a/lost.txt", LEFT)
    put(tmp_path, "README.txt", "hello")
    splits = opened(tmp_path)
    assert names_of(splits) == {"training": ["x", "y"], "validation": ["x", "y"]}
    notes = "\n".join(splits["training"].notes)
    assert len(splits["training"].notes) == 4
    assert "2 images are in training and in validation" in notes
    assert "1 images are in no split and are left out, such as images/b/z.png" in notes
    assert "1 images have no file of labels and are read as images without objects" in notes
    assert "1 files of labels have no image, such as labels/a/lost.txt" in notes
    assert splits["training"].annotations[1].read().tolist() == [[1] * 4] * 4


def test_boxes_are_counted_and_a_set_of_boxes_alone_is_refused(tmp_path: Path) -> None:
    make(tmp_path, text=f"{LEFT}\n1 0.5 0.5 0.2 0.2\n")
    assert read_counting(opened(tmp_path)[""].annotations[0]).without_area == 1
    put(tmp_path, "labels/a.txt", "1 0.5 0.5 0.2 0.2\n")
    message = error_of(tmp_path)
    assert "a data set of detection: all 1 objects are boxes" in message
    assert "export the annotations for segmentation" in message


def test_images_and_labels_pair_by_unicode_and_dots(tmp_path: Path) -> None:
    put(tmp_path, "data.yaml", "names: [cat]\n")
    put_pair(tmp_path, "images/\u00fcber.v1.JPG", "labels/u\u0308ber.v1.txt")
    files = opened(tmp_path)[""]
    assert files.names == ("über.v1",)
    assert files.annotations[0].read()[0].tolist() == [0, 0, 1, 1]


def test_coordinates_slightly_outside_are_clipped(tmp_path: Path) -> None:
    files = opened(make(tmp_path, text="0 -0.001 0 0.5 -1e-9 0.5 1.00001 0 1.01"))[""]
    assert files.annotations[0].read().tolist() == [[0, 0, 2, 2]] * 4


def test_an_image_turned_by_exif_is_drawn_as_it_is_read(tmp_path: Path) -> None:
    make(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "images/a.png", exif=exif)
    sample = opened(tmp_path)[""][0]
    assert sample.image.shape[:2] == sample.mask.shape == (6, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 10 10 300 10 300 200", r"a\.txt, line 1: coordinates from 10 to 300.*normalised"),
        ("0 nan 0 0.5 0 0.5 1", "coordinates from nan to nan, expected 0..1"),
        ("0 0 0 1e999 0 0.5 1", "coordinates from 0 to inf"),
        ("0 -0.2 0 0.5 0 0.5 1", "from -0.2 to 1"),
        (f"{LEFT}\n2 0 0 1 0 1 1", r"line 2: class 2, which data\.yaml does not name; .* 0 to 1"),
        ("-1 0 0 1 0 1 1", "class -1, which"),
        ("0.5 0 0 1 0 1 1", "class 0.5, which"),
        ("nan 0 0 1 0 1 1", "class nan, which"),
        ("cat 0 0 1 0 1 1", r"`cat 0 0 1 0 1 1`; expected numbers"),
        ("0,0,0,1,0,1,1", "expected numbers between spaces"),
        ("0 0 0 1 0 1 1 0.9", "7 numbers after the class; expected x and y of each corner"),
        ("0", "0 numbers after the class"),
        ("0 0.1 0.2", "2 numbers after the class"),
        ("\x00\x01", "expected numbers"),
    ],
)
def test_a_broken_file_of_labels_is_refused(text: str, says: str, tmp_path: Path) -> None:
    make(tmp_path, text=text)
    with pytest.raises(InputError, match=says):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("names: []", "`names` holds no classes"),
        ("names:", "`names` holds no classes"),
        ("names: cat", "`names` holds no classes"),
        ("names: {a: cat}", "`names` with the id 'a'"),
        ("names: {-1: cat}", "`names` with the id -1"),
        ("names: {true: cat}", "`names` with the id True"),
        ("names: [true]", "class 0 is named True; .* quote"),
        ("names: ['']", "class 0 is named ''"),
        ("names: [[cat]]", r"class 0 is named \['cat'\]"),
        ("names: [cat, cat]", "two classes have the name cat"),
        ("names: [cat\n", "not YAML"),
        ("names: &a [*a]", "aliases"),
        ("names: [cat]\nnames: [dog]", "given twice"),
        ("names: [cat]\ntrain: 3", "3 as the images of a split"),
        ("names: [cat]\ntrain: [[x]]", "as the images of a split"),
        ("names: [cat]\nkpt_shape: [17, 3]", "key points"),
        (f"names: [0x{'f' * 5000}]", "thousands of digits"),
        ("- x\n- y", "no data.yaml with `names`"),
    ],
)
def test_a_broken_yaml_is_refused(config: str, says: str, tmp_path: Path) -> None:
    make(tmp_path, config)
    with pytest.raises(InputError, match=says):
        opened(tmp_path, "yolo")


def test_other_faults_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "labels/a.txt").write_bytes(b"\xff\xfe0")
    assert "not text in UTF-8" in error_of(tmp_path)
    (tmp_path / "labels/a.txt").unlink()
    assert "no image has a file of labels" in error_of(tmp_path)
    (tmp_path / "images/a.png").unlink()
    assert "holds no images" in error_of(tmp_path)
    (tmp_path / "data.yaml").unlink()
    for name in ("one.yaml", "two.yaml"):
        put(tmp_path, name, "names: [cat]")
    assert "one.yaml and two.yaml both name classes" in error_of(tmp_path)


def test_large_files_are_not_read(tmp_path: Path) -> None:
    make(tmp_path)
    with (tmp_path / "labels/a.txt").open("wb") as file:
        file.truncate(2**26 + 1)
    assert "67.1 MB, expected at most 67.1 MB" in error_of(tmp_path)
    with (tmp_path / "data.yaml").open("ab") as file:
        file.truncate(2**21)
    assert "data.yaml: 2.1 MB, expected at most 1.0 MB" in error_of(tmp_path)


def test_a_deep_path_takes_no_time(tmp_path: Path) -> None:
    make(tmp_path, f"names: [cat]\ntrain: {'a/' * 100_000}\n")
    assert names_of(opened(tmp_path)) == {"": ["a"]}


def test_what_is_written_is_what_other_programs_expect(tmp_path: Path) -> None:
    from sceneparse.tasks.convert import convert

    put(tmp_path / "own", "labels.yaml", "classes: {3: background, 5: 'no: x', 9: ø}\n")
    for split in ("training", "validation"):
        put_image(tmp_path / "own", f"images/{split}/images/a.png")
        mask = np.array([[3, 3, 9, 9], [3, 3, 9, 9], [5, 5, 3, 3], [5, 3, 3, 3]], np.uint8)
        path = tmp_path / "own" / "masks" / split / "images" / "a.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(mask).save(path)
    convert(tmp_path / "own", tmp_path / "out", to="yolo")
    assert (tmp_path / "out" / "data.yaml").read_text(encoding="utf-8") == (
        '"train": "images/train"\n"val": "images/val"\nnames:\n  0: "no: x"\n  1: "ø"\n'
    )
    lines = (tmp_path / "out/images/train/labels/a.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1"]
    shares = np.array([line.split()[1:] for line in lines][1], np.float64)
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert opened(tmp_path / "out", "yolo")["training"].annotations[0].read()[0].tolist() == [
        2,
        2,
        1,
        1,
    ]
