"""Tests of masks as Roboflow exports them: lists of classes, pairs, and broken files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError
from sceneparse.tasks.convert import convert

LIST = "Pixel Value, Class\n0, background\n1, box\n3, disc\n"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def put_pair(
    folder: Path, name: str, ids: tuple[int, ...] = (0, 1, 3, 3), image: str = "{}.jpg"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.array(ids, np.uint8).reshape(2, 2)
    Image.fromarray(mask).save(folder / f"{name}_mask.png")
    Image.new("RGB", (2, 2)).save(folder / image.format(name))


def make(root: Path, text: str = LIST) -> Path:
    put(root / "_classes.csv", text)
    put_pair(root, "a")
    return root


def opened(root: Path, name: str = "auto") -> dict[str, PairedFiles]:
    return FolderData(root=root, format=name).all_splits()


def error_of(root: Path, name: str = "roboflow_masks") -> str:
    with pytest.raises(InputError) as caught:
        read_all(root, name)
    return str(caught.value)


def read_all(root: Path, name: str) -> None:
    for files in opened(root, name).values():
        for index in range(len(files)):
            _ = files[index]


def test_splits_are_read_with_their_ids(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        put(tmp_path / split / "_classes.csv", LIST)
        put_pair(tmp_path / split, f"{split}_jpg.rf.0a1b")
    found = find_format(tmp_path)
    assert found is not None
    assert found.name == "roboflow_masks"
    assert recognise(tmp_path) is None
    splits = opened(tmp_path)
    assert {split: files.names for split, files in splits.items()} == {
        "training": ("train_jpg.rf.0a1b",),
        "validation": ("valid_jpg.rf.0a1b",),
        "test": ("test_jpg.rf.0a1b",),
    }
    labels = splits["training"].labels
    assert labels.class_names == ("background", "box", "disc")
    assert labels.raw_ids == (0, 1, 3)
    assert splits["test"].mask(0).tolist() == [[0, 1], [2, 2]]
    assert splits["test"].notes == ()


def test_without_splits_and_with_subfolders(tmp_path: Path) -> None:
    make(tmp_path)
    put_pair(tmp_path / "day1", "ü", image="{}.PNG")
    (files,) = opened(tmp_path).values()
    assert files.names == ("a", "day1/ü")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('0, "a ""b"", c: #d"\n1,x\n3,y', ('a "b", c: #d', "x", "y")),
        ("0, trees, shrubs\n1, x\n3, y", ("trees, shrubs", "x", "y")),
        ("0,地面\r\n\r\n1,  x  \r\n3,y", ("地面", "x", "y")),
        ("3, y\n1, x\n0, z", ("z", "x", "y")),
    ],
)
def test_names_may_hold_anything(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    (files,) = opened(make(tmp_path, f"\ufeffPixel Value,Class\n{text}\n")).values()
    assert files.labels.class_names == names
    assert files.labels.raw_ids == (0, 1, 3)


def test_an_image_may_be_called_a_mask(tmp_path: Path) -> None:
    put(tmp_path / "_classes.csv", LIST)
    put_pair(tmp_path, "face_mask", image="{}.png")
    (files,) = opened(tmp_path).values()
    assert files.names == ("face_mask",)
    assert files.mask(0).tolist() == [[0, 1], [2, 2]]


def test_a_list_for_classification_is_not_recognised(tmp_path: Path) -> None:
    put(tmp_path / "train" / "_classes.csv", "filename, cat, dog\na.jpg, 1, 0\n")
    Image.new("RGB", (2, 2)).save(tmp_path / "train" / "a.jpg")
    assert find_format(tmp_path) is None
    assert "begins with 'filename, cat, dog" in error_of(tmp_path)


def test_labels_yaml_adds_colours_order_and_ignored_ids(tmp_path: Path) -> None:
    make(tmp_path)
    own = "classes: [{id: 3, name: disc, color: [1, 2, 3]}, {id: 1, name: box}]\nignored_ids: [0]"
    put(tmp_path / "labels.yaml", own)
    (files,) = opened(tmp_path).values()
    assert files.labels.class_names == ("disc", "box")
    assert files.labels.colors[0] == (1, 2, 3)
    assert files.mask(0).tolist() == [[255, 1], [0, 0]]
    put(tmp_path / "labels.yaml", "classes: {0: background, 1: disc, 3: box}")
    assert "the class box has the id 3, but the value 1 in" in error_of(tmp_path)
    put(tmp_path / "labels.yaml", "classes: {0: background, 1: box}")
    assert "lacks 1 of the classes" in error_of(tmp_path)


def test_pixels_that_are_not_labelled_are_written_and_read(tmp_path: Path) -> None:
    own = tmp_path / "own"
    put(own / "labels.yaml", "classes: {2: cat, 5: dog}\nignored_ids: [7, 9]\n")
    for kind, pixels in (
        ("images", np.zeros((2, 2, 3), np.uint8)),
        ("masks", np.array([[2, 5], [7, 9]], np.uint8)),
    ):
        (own / kind).mkdir()
        Image.fromarray(pixels).save(own / kind / "a.png")
    convert(own, tmp_path / "out", to="roboflow_masks")
    text = (tmp_path / "out" / "_classes.csv").read_text(encoding="utf-8")
    assert text == "Pixel Value, Class\n2, cat\n5, dog\n7, __ignore__\n"
    (files,) = opened(tmp_path / "out").values()
    assert files.labels.class_names == ("cat", "dog")
    assert files.labels.ignored_ids == (7,)
    assert files.mask(0).tolist() == [[0, 1], [255, 255]]
    put(tmp_path / "out" / "labels.yaml", "classes: {2: cat, 5: dog, 7: cow}")
    assert "a class has the id 7, but" in error_of(tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with ''"),
        ("\n\n", "begins with"),
        ("0, background\n1, box", "begins with '0, background"),
        ("Pixel Value, Class\n", "names no classes"),
        ("Pixel Value, Class\n0\n", "a line `0`; expected a value in 0..65534 and the name"),
        ("Pixel Value, Class\n0, \n", "a line `0, `"),
        ("Pixel Value, Class\n-1, a\n", "a line `-1, a`"),
        ("Pixel Value, Class\n1.5, a\n", "a line `1.5, a`"),
        ("Pixel Value, Class\n65535, a\n", "a line `65535, a`"),
        ("Pixel Value, Class\n٣, a\n", "a line `٣, a`"),
        (f"Pixel Value, Class\n{'9' * 6000}, a\n", "a line `999"),
        (f"Pixel Value, Class\n1, {'a' * 140_000}\n", "not CSV"),
        ("Pixel Value, Class\n1, a\n1, b\n", "the value 1 is listed twice"),
        ("Pixel Value, Class\n1, a\n2, a\n", "the class a has the values 1 and 2"),
        ("Pixel Value, Class\n1, __ignore__\n", "names no classes"),
        ("Pixel Value, Class\n0, a\n1, b\n", "a_mask.png: values 3 are neither a class"),
    ],
)
def test_a_broken_list_is_refused(text: str, says: str, tmp_path: Path) -> None:
    assert says in error_of(make(tmp_path, text))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("0, background\n1, disc\n3, box\n", "the value 1 is the class disc, but box in the list"),
        ("0, background\n1, __ignore__\n", "the value 1 is the class __ignore__, but box"),
        ("0, background\n2, disc\n", "the class disc has the values 3 and 2"),
    ],
)
def test_lists_that_differ_are_refused(other: str, says: str, tmp_path: Path) -> None:
    put(tmp_path / "train" / "_classes.csv", LIST)
    put(tmp_path / "valid" / "_classes.csv", f"Pixel Value, Class\n{other}")
    put_pair(tmp_path / "train", "a")
    message = error_of(tmp_path)
    assert says in message
    assert "valid" in message


def test_a_list_may_name_less_classes_than_another(tmp_path: Path) -> None:
    put(tmp_path / "train" / "_classes.csv", LIST)
    put(tmp_path / "valid" / "_classes.csv", "Pixel Value, Class\n4, cat\n")
    put_pair(tmp_path / "train", "a")
    put_pair(tmp_path / "valid", "b", (4, 4, 0, 1))
    splits = opened(tmp_path)
    assert splits["training"].labels.class_names == ("background", "box", "disc", "cat")
    assert splits["validation"].mask(0).tolist() == [[3, 3], [0, 1]]


def test_images_and_masks_without_partner_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    Image.new("RGB", (2, 2)).save(tmp_path / "b.jpg")
    assert "b.jpg: an image without the mask b_mask.png" in error_of(tmp_path)
    (tmp_path / "b.jpg").rename(tmp_path / "b_mask.png")
    assert "b_mask.png: a mask without an image b.jpg" in error_of(tmp_path)
    (tmp_path / "b_mask.png").rename(tmp_path / "a.png")
    assert "has the same name with another suffix" in error_of(tmp_path)


def test_broken_masks_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "a_mask.png").unlink()
    Image.new("L", (2, 2)).save(tmp_path / "a_mask.jpg")
    assert "a JPEG mask" in error_of(tmp_path)
    (tmp_path / "a_mask.jpg").unlink()
    (tmp_path / "a_mask.png").write_bytes(b"nothing")
    assert "a_mask.png: not an image" in error_of(tmp_path)
    Image.new("L", (3, 2)).save(tmp_path / "a_mask.png")
    assert "3×2 pixels, but a.jpg has 2×2" in error_of(tmp_path)
    Image.new("RGB", (2, 2), (1, 2, 3)).save(tmp_path / "a_mask.png")
    assert "a mask of colours" in error_of(tmp_path)


def test_a_folder_without_a_list_or_with_other_bytes_is_refused(tmp_path: Path) -> None:
    assert "no _classes.csv, with the header" in error_of(tmp_path)
    make(tmp_path)
    (tmp_path / "_classes.csv").write_bytes(b"Pixel Value, Class\n0, \xff\n")
    assert "not text in UTF-8" in error_of(tmp_path)
    with (tmp_path / "_classes.csv").open("wb") as file:
        file.truncate(2**24 + 1)
    assert "expected at most 16.8 MB" in error_of(tmp_path)


def test_images_elsewhere_are_noted(tmp_path: Path) -> None:
    put(tmp_path / "train" / "_classes.csv", LIST)
    put_pair(tmp_path / "train", "a")
    Image.new("RGB", (2, 2)).save(tmp_path / "preview.png")
    (files,) = opened(tmp_path).values()
    assert files.notes == ("1 images have no annotation and are left out, such as preview.png",)
