"""Colour masks of CVAT: what is read, what is refused, and what is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats.annotation_format import LabelledImage
from sceneparse.data.formats.cvat_masks import write
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError
from sceneparse.labels import Labels

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nbox:184,61,245::\ndisc:9,9,9::\n"
COLORS = np.array([[0, 0, 0], [184, 61, 245], [9, 9, 9], [224, 224, 192]], np.uint8)
IDS = np.array([[0, 1, 1], [2, 0, 0]], np.uint8)


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def export(
    root: Path,
    lists: dict[str, list[str]],
    labelmap: str = LABELMAP,
    images: str = "JPEGImages",
    ending: str = ".png",
) -> FolderData:
    for name in {name for names in lists.values() for name in names}:
        save(root / images / f"{name}{ending}", np.zeros((2, 3, 3)))
        save(root / "SegmentationClass" / f"{name}.png", COLORS[IDS])
    for name, names in lists.items():
        path = root / "ImageSets" / "Segmentation" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in names), encoding="utf-8")
    (root / "labelmap.txt").write_text(labelmap, encoding="utf-8")
    return FolderData(root=root)


def only_split(data: FolderData) -> PairedFiles:
    ((name, files),) = data.all_splits().items()
    assert name == ""
    return files


def test_ids_are_the_lines_of_the_list_of_colours(tmp_path: Path) -> None:
    files = only_split(export(tmp_path, {"default": ["b", "a"]}))
    assert files.labels.class_names == ("background", "box", "disc")
    assert files.labels.colors[1:] == ((184, 61, 245), (9, 9, 9))
    assert files.labels.raw_ids == (0, 1, 2)
    assert files.names == ("a", "b")
    assert files.notes == ()
    assert files.annotations[0].read().tolist() == IDS.tolist()
    found = find_format(tmp_path)
    assert found
    assert found.title == "CVAT segmentation mask 1.1"


@pytest.mark.parametrize("images", ["JPEGImages", "elsewhere/photos", "."])
def test_names_hold_folders_spaces_and_any_script(images: str, tmp_path: Path) -> None:
    names = ["Straße 1/地面 2.v3", "Straße 2/地面 2.v3", "plain"]
    files = only_split(export(tmp_path, {"default": names}, images=images, ending=".JPG"))
    assert files.names == tuple(sorted(names))
    assert [path.suffix for path in files.images] == [".JPG"] * 3
    assert files.images[0].parent.name == "Straße 1"
    assert files[2].mask.tolist() == IDS.tolist()


def test_a_mask_is_never_taken_for_an_image(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a"]}, images="photos")
    save(tmp_path / "SegmentationObject" / "a.png", COLORS[IDS])
    files = only_split(data)
    assert files.images == (tmp_path / "photos" / "a.png",)
    assert files.notes == ()
    files.images[0].unlink()
    with pytest.raises(InputError, match=r"default\.txt: names the image a, but it is not there"):
        export(tmp_path, {"default": ["a"]}, images="SegmentationObject").all_splits()


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        (["Train", "Validation", "Test"], ["training", "validation", "test"]),
        (["train", "val"], ["training", "validation"]),
        (["all of them"], [""]),
        (["train"], ["training"]),
    ],
)
def test_lists_are_splits(lists: list[str], expected: list[str], tmp_path: Path) -> None:
    data = export(tmp_path, {name: [f"im_{name}"] for name in lists})
    splits = data.all_splits()
    assert set(splits) == set(expected)
    for split, name in zip(expected, lists, strict=True):
        assert splits[split].names == (f"im_{name}",)


def test_a_list_of_what_is_in_other_lists_is_left_out(tmp_path: Path) -> None:
    data = export(tmp_path, {"train": ["a"], "val": ["b"], "trainval": ["a", "b"], "test": []})
    assert {name: files.names for name, files in data.all_splits().items()} == {
        "training": ("a",),
        "validation": ("b",),
    }


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"train": ["a"], "default": ["b"]}, r"subset `default` is one of 2.*rename the list"),
        ({"north": ["a"], "south": ["b"]}, r"subset `north` is one of 2.*expected Train"),
        ({"train": ["a"], "val": ["b", "a"]}, r"val\.txt: names a, which is in train\.txt already"),
        ({"default": ["a", "b", "a"]}, r"default\.txt: names a, which is in default\.txt already"),
    ],
)
def test_unclear_lists_are_refused(lists: dict[str, list[str]], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        export(tmp_path, lists).all_splits()


def test_lists_that_name_no_mask_are_refused(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a"]})
    (tmp_path / "ImageSets" / "Segmentation" / "default.txt").write_text("../secret\nx\n")
    with pytest.raises(InputError, match=r"default\.txt: no mask in .* has one of its 2 names"):
        data.all_splits()


def test_masks_without_lists_are_all_read(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a", "b"]})
    (tmp_path / "ImageSets" / "Segmentation" / "default.txt").unlink()
    assert only_split(data).names == ("a", "b")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a", "b"], "copy": ["c.jpg"]})
    (tmp_path / "ImageSets" / "Segmentation" / "copy.txt").unlink()
    # An image without shapes has no mask.
    (tmp_path / "SegmentationClass" / "b.png").unlink()
    files = only_split(data)
    assert files.names == ("a",)
    unused, unlisted = files.notes
    assert unused.startswith("2 images have no annotation and are left out, such as ")
    assert "1 masks are in no list" in unlisted


def test_names_may_have_the_suffix_of_the_image(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a"]}, ending=".jpg")
    (tmp_path / "ImageSets" / "Segmentation" / "default.txt").write_text("a.jpg\r\n")
    assert only_split(data).names == ("a",)


def test_two_masks_do_not_share_an_image(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["x/a", "y/a"]})
    (tmp_path / "JPEGImages" / "y" / "a.png").unlink()
    with pytest.raises(InputError, match=r"y/a\.png: its image and that of .* the same"):
        data.all_splits()


def test_colours_that_are_not_listed_are_refused_with_the_list(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a", "b"]})
    save(tmp_path / "SegmentationClass" / "a.png", np.full((2, 3, 3), 255))
    save(tmp_path / "SegmentationClass" / "b.png", np.full((2, 3, 3), (1, 2, 3)))
    files = only_split(data)
    with pytest.raises(InputError, match=r"a\.png: colours.*\(255, 255, 255\).*labelmap\.txt"):
        files.mask(0)
    with pytest.raises(InputError, match=r"b\.png: colours.*\(1, 2, 3\).*labelmap\.txt"):
        files.mask(1)


def test_grey_colours_are_colours_wherever_they_are_listed(tmp_path: Path) -> None:
    labelmap = "cell:255,255,255::\nbackground:0,0,0::\n"
    data = export(tmp_path, {"default": ["a", "b"]}, labelmap)
    save(tmp_path / "SegmentationClass" / "a.png", np.zeros((2, 3, 3)))
    save(tmp_path / "SegmentationClass" / "b.png", np.where(IDS[..., None], [255] * 3, 0))
    files = only_split(data)
    assert files.mask(0).tolist() == np.ones_like(IDS).tolist()
    assert files.mask(1).tolist() == (IDS == 0).astype(int).tolist()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_palettes_in_any_order_are_read(order: list[int], tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a"]})
    image = Image.fromarray(np.array(order, np.uint8)[IDS]).convert("P")
    palette = COLORS[np.argsort(order)]
    image.putpalette(palette.ravel().tolist())
    image.save(tmp_path / "SegmentationClass" / "a.png")
    assert only_split(data).mask(0).tolist() == IDS.tolist()


def test_ignored_is_the_label_of_unlabelled_pixels(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a"]}, LABELMAP + "ignored:224,224,192::\n")
    save(tmp_path / "SegmentationClass" / "a.png", COLORS[[[0, 3, 2], [1, 3, 3]]])
    files = only_split(data)
    assert files.labels.class_names == ("background", "box", "disc")
    assert files.labels.ignored_ids == (3,)
    assert files.mask(0).tolist() == [[0, 255, 2], [1, 255, 255]]
    assert files.notes == ("pixels of the label `ignored` are taken as not labelled",)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a:b:c:1,2,3::", "a:b:c"),
        ("a:4,5,6:1,2,3::", "a:4,5,6"),
        ("car:1,2,3:wheel,door:drives", "car"),
        ("car: 1, 2, 3", "car"),
        ("#1:1,2,3::\r", "#1"),
        ("地面 :1,2,3::", "地面"),
    ],
)
def test_lines_of_labels(line: str, name: str, tmp_path: Path) -> None:
    labelmap = f"\ufeff{LABELMAP}\n# old: 1,2,3\n#\n{line}\n"
    files = only_split(export(tmp_path, {"default": ["a"]}, labelmap))
    assert files.labels.class_names[3:] == (name,)
    assert files.labels.colors[3:] == ((1, 2, 3),)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("car", r"labelmap\.txt: line 5: found `car`, expected a label and its colour"),
        ("car:::", r"line 5: found `car:::`"),
        ("car:1,2::", r"line 5: found `car:1,2::`"),
        ("car:1,2,256::", r"line 5: found `car:1,2,256::`"),
        (":1,2,3::", r"line 5: found `:1,2,3::`"),
        ("car:1,2,3::::", r"line 5: found"),
        ("car:٣,2,3::", r"line 5: found"),
        ("car:9,9,9::", r"labelmap\.txt: two labels have the colour \(9, 9, 9\).*change one"),
        ("box:1,2,3::", r"labelmap\.txt: two labels have the name box"),
    ],
)
def test_broken_lines_are_refused(line: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        export(tmp_path, {"default": ["a"]}, f"{LABELMAP}{line}\n").all_splits()


@pytest.mark.parametrize("labelmap", ["", "# label:color_rgb:parts:actions\n", "ignored:1,2,3::\n"])
def test_a_list_without_classes_is_refused(labelmap: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labelmap\.txt: names 0 classes"):
        export(tmp_path, {"default": ["a"]}, labelmap).all_splits()


def test_more_labels_than_ids_are_refused(tmp_path: Path) -> None:
    colors = ((i >> 16, i >> 8 & 255, i & 255) for i in range(65535))
    lines = [f"c{r},{g},{b}:{r},{g},{b}::" for r, g, b in colors]
    with pytest.raises(InputError, match=r"labelmap\.txt: names 65535 classes; expected 1 to"):
        export(tmp_path, {"default": ["a"]}, "\n".join(lines)).all_splits()


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    data = export(tmp_path, {"default": ["a"]})
    listed = tmp_path / "ImageSets" / "Segmentation" / "default.txt"
    listed.write_bytes("ü".encode("latin-1"))
    with pytest.raises(InputError, match=r"default\.txt: not text in UTF-8"):
        data.all_splits()
    (tmp_path / "labelmap.txt").write_bytes(LABELMAP.encode("utf-16"))
    with pytest.raises(InputError, match=r"labelmap\.txt: not text in UTF-8"):
        data.all_splits()


def test_swapped_colours_are_another_kind_of_annotation(tmp_path: Path) -> None:
    before = only_split(export(tmp_path, {"default": ["a"]})).mask_digest
    swapped = LABELMAP.replace("box:184,61,245", "box:9,9,9", 1)
    swapped = swapped.replace("disc:9,9,9", "disc:184,61,245")
    assert only_split(export(tmp_path, {"default": ["a"]}, swapped)).mask_digest != before


def labelled(root: Path, mask: Any, name: str = "a") -> LabelledImage:
    save(root / f"{name}.png", np.zeros((2, 3, 3)))
    return LabelledImage(name, "", root / f"{name}.png", np.asarray(mask, np.uint8))


@pytest.mark.parametrize(
    ("labels", "lines"),
    [
        (
            Labels(("a", "Background"), ((0, 0, 0), (7, 7, 7)), (0, 1)),
            ["Background:7,7,7::", "a:0,0,0::"],
        ),
        (
            Labels(("a", "background"), ((1, 1, 1), (0, 0, 0)), (0, 1), (255,)),
            ["background:0,0,0::", "a:1,1,1::", "ignored:224,224,192::"],
        ),
        (
            Labels(("a", "b"), ((1, 1, 1), (2, 2, 2)), (0, 1)),
            ["ignored:0,0,0::", "a:1,1,1::", "b:2,2,2::"],
        ),
        (
            Labels(("a", "b", "c"), ((0, 0, 0), (2, 2, 2), (2, 2, 2)), (0, 1, 2), (9,)),
            ["ignored:0,0,0::", "a:230,34,34::", "b:2,2,2::", "c:80,124,230::"],
        ),
    ],
)
def test_the_first_line_is_what_lies_in_no_shape(
    labels: Labels, lines: list[str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    mask = [[0, 1, labels.num_classes - 1], [0, 0, 0]]
    write(tmp_path / "out", [labelled(tmp_path, mask)], labels)
    text = (tmp_path / "out" / "labelmap.txt").read_text()
    assert text.splitlines() == ["# label:color_rgb:parts:actions", *lines]
    files = only_split(FolderData(root=tmp_path / "out"))
    names = np.array(files.labels.class_names, object)[files.mask(0)]
    assert names.tolist() == np.array(labels.class_names, object)[mask].tolist()


@pytest.mark.parametrize(
    ("names", "image", "says"),
    [
        (("ignored",), "a", "the class `ignored` cannot be written for CVAT"),
        (("two\nlines",), "a", r"the class 'two\\nlines' cannot be written into labelmap\.txt"),
        (("# note",), "a", "the class '# note' cannot be written"),
        (("\ud800",), "a", "the class .* cannot be written"),
        (("car",), "two\nlines", r"the image 'two\\nlines' cannot be written into a list"),
    ],
)
def test_names_that_would_not_be_read_back_are_refused(
    names: tuple[str, ...], image: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    labels = Labels(names, ((0, 0, 0),), (0,))
    with pytest.raises(InputError, match=says):
        write(tmp_path / "out", [labelled(tmp_path, np.zeros((2, 3)), image)], labels)
