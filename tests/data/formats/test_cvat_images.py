"""CVAT for images: each kind of shape, layers, subsets, and files that are refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats.annotation_format import LabelledImage, Uncovered
from sceneparse.data.formats.cvat_images import write
from sceneparse.data.formats.rasterizer import read_counting
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError
from sceneparse.labels import Labels

LABELS = (
    ("car", "#0a0b0c", "any"),
    ("sky", "#ffffff", "polygon"),
    ("mood", "#010203", "tag"),
    ("pose", "#010203", "skeleton"),
)


def meta(labels: Sequence[tuple[str, str, str]] = LABELS, holder: str = "task") -> str:
    listed = "".join(
        f"<label><name>{name}</name><color>{color}</color><type>{kind}</type><attributes>"
        "<attribute><name>make</name><values>a\nb</values></attribute></attributes></label>\n"
        for name, color, kind in labels
    )
    part = "<label><name>knee</name><color>#fff000</color><parent>pose</parent></label>"
    return (
        f"<meta><{holder}><id>1</id><name>x</name><labels>{listed}{part}</labels></{holder}></meta>"
    )


def image(shapes: str, name: str = "a.png", attributes: str = "") -> str:
    return f'<image id="0" name="{name}" width="8" height="6" {attributes}>{shapes}</image>'


def annotate(path: Path, *parts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(['<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n', *parts])
    path.write_text(f"{text}<version>1.1</version></annotations>\n", encoding="utf-8")


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6)).save(path)


def opened(root: Path, uncovered: Uncovered | None = "background") -> dict[str, PairedFiles]:
    return FolderData(root=root, uncovered=uncovered).all_splits()


def run_lengths(text: str, left: str = "0", width: int = 2, height: int = 2) -> str:
    window = f'left="{left}" top="0" width="{width}" height="{height}"'
    return f'<mask label="car" rle="{text}" {window}/>'


def drawn(root: Path, shapes: str, uncovered: Uncovered | None = "background") -> list[str]:
    """Return the pixels of an image with these shapes, a digit for each class."""
    annotate(root / "annotations.xml", meta(), image(shapes))
    save(root / "images" / "a.png")
    (files,) = opened(root, uncovered).values()
    return ["".join(map(str, row)) for row in files.mask(0).tolist()]


EMPTY = "00000000"


def test_labels_are_those_of_the_task_that_may_have_an_area(tmp_path: Path) -> None:
    drawn(tmp_path, "")
    (files,) = opened(tmp_path).values()
    assert files.labels.class_names == ("background", "car", "sky")
    assert files.labels.colors == ((0, 0, 0), (10, 11, 12), (255, 255, 255))
    assert files.labels.raw_ids == (0, 1, 2)
    assert files.names == ("a",)
    found = find_format(tmp_path)
    assert found
    assert found.name == "cvat_images"


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        (
            '<polygon label="car" points="1.00,1.00;4.00,1.00;4.00,3.00;1.00,3.00" z_order="0"/>',
            [EMPTY, "01110000", "01110000", EMPTY, EMPTY, EMPTY],
        ),
        (
            '<polygon label="car" points="6,-9;30,-9;30,2;6,2;"><attribute name="n">1</attribute>'
            "</polygon>",
            ["00000011", "00000011", EMPTY, EMPTY, EMPTY, EMPTY],
        ),
        (
            '<box label="car" xtl="2.00" ytl="1.00" xbr="7.00" ybr="3.00" occluded="1"/>',
            [EMPTY, "00111110", "00111110", EMPTY, EMPTY, EMPTY],
        ),
        (
            '<box label="car" xtl="1" ytl="2" xbr="7" ybr="4" rotation="90.00"/>',
            ["00011000"] * 6,
        ),
        (
            '<ellipse label="car" cx="4.00" cy="3.00" rx="2.90" ry="1.90"/>',
            [EMPTY, "00111100", "01111110", "01111110", "00111100", EMPTY],
        ),
        (
            '<ellipse label="car" cx="4.00" cy="3.00" rx="2.90" ry="1.90" rotation="90"/>',
            ["00011000", *["00111100"] * 4, "00011000"],
        ),
        (
            '<mask label="car" rle="1, 2, 2, 1" left="3" top="2" width="3" height="2"/>',
            [EMPTY, EMPTY, "00001100", "00000100", EMPTY, EMPTY],
        ),
        (
            '<mask label="car" rle="0,4" left="7" top="-1" width="2" height="2"/>',
            ["00000001", EMPTY, EMPTY, EMPTY, EMPTY, EMPTY],
        ),
        (
            '<mask label="car" rle="0,4" left="70" top="60" width="2" height="2"/>',
            [EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY],
        ),
    ],
)
def test_shapes_cover_their_pixels(shape: str, rows: list[str], tmp_path: Path) -> None:
    assert drawn(tmp_path, shape) == rows


def test_a_rotation_is_clockwise(tmp_path: Path) -> None:
    shape = '<box label="car" xtl="1" ytl="2.5" xbr="7" ybr="3.5" rotation="{}"/>'
    turned = np.array([list(row) for row in drawn(tmp_path, shape.format(30))]) == "1"
    assert turned[3:, 5:].any()
    assert turned[:3, :3].any()
    assert not turned[3:, :3].any()


@pytest.mark.parametrize(
    ("orders", "on_top"),
    [(("0", "0"), "2"), (("1", "0"), "1"), (("-1", "0"), "2"), (("0", "-3"), "1"), (("", ""), "2")],
)
def test_higher_layers_lie_on_top(orders: tuple[str, str], on_top: str, tmp_path: Path) -> None:
    box = '<box label="{}" xtl="0" ytl="0" xbr="8" ybr="6" {}/>'
    attributes = [f'z_order="{order}"' if order else "" for order in orders]
    boxes = box.format("car", attributes[0]) + box.format("sky", attributes[1])
    assert drawn(tmp_path, boxes) == [on_top * 8] * 6


def test_shapes_without_an_area_are_counted(tmp_path: Path) -> None:
    shapes = (
        '<polyline label="car" points="0,0;5,5"/><points label="car" points="1,1"/>'
        '<cuboid label="car" xtl1="1"/><skeleton label="pose"><points label="knee" points="1,1"/>'
        '</skeleton><polygon label="car" points="1,1;2,2"/><tag label="mood" source="manual"/>'
    )
    assert drawn(tmp_path, shapes) == [EMPTY] * 6
    (files,) = opened(tmp_path).values()
    assert read_counting(files.annotations[0]).without_area == 5


def test_pixels_in_no_shape_are_asked_for(tmp_path: Path) -> None:
    shape = '<box label="car" xtl="0" ytl="0" xbr="8" ybr="3"/>'
    with pytest.raises(InputError, match=r"annotations\.xml: 50% .* a\.png lie in no shape"):
        drawn(tmp_path, shape, None)
    covered = shape + shape.replace('ybr="3"', 'ybr="9"').replace("car", "sky")
    assert drawn(tmp_path, covered, None) == ["11111111"] * 6
    annotate(tmp_path / "annotations.xml", meta((("background", "#000000", "any"),)), image(""))
    with pytest.raises(InputError, match=r"set data\.uncovered=background"):
        next(iter(opened(tmp_path, None).values())).mask(0)


def test_ignored_is_the_label_of_unlabelled_pixels(tmp_path: Path) -> None:
    labels = (*LABELS, ("ignored", "#e0e0c0", "any"))
    shape = '<mask label="ignored" rle="0, 2" left="0" top="0" width="2" height="1"/>'
    annotate(tmp_path / "annotations.xml", meta(labels), image(shape))
    save(tmp_path / "a.png")
    (files,) = opened(tmp_path).values()
    assert files.labels.class_names == ("background", "car", "sky")
    assert files.mask(0)[0].tolist() == [255, 255, 0, 0, 0, 0, 0, 0]
    assert "the label `ignored`" in files.notes[0]


def test_without_a_list_of_labels_those_that_occur_are_taken(tmp_path: Path) -> None:
    box = '<box label="{}" xtl="0" ytl="0" xbr="8" ybr="{}"/>'
    shapes = box.format("sky", 6) + box.format("car", 3) + '<points label="pose" points="1,1"/>'
    annotate(tmp_path / "annotations.xml", image(shapes))
    save(tmp_path / "a.png")
    (files,) = opened(tmp_path, None).values()
    assert files.labels.class_names == ("car", "sky")
    assert files.mask(0)[:, 0].tolist() == [0, 0, 0, 1, 1, 1]


def test_subsets_are_splits(tmp_path: Path) -> None:
    parts = [
        image("", "x/a.png", 'subset="Train" task_id="1"'),
        image("", "x/a.png", 'subset="Validation" task_id="2"'),
        image("", "b.png", 'subset="Train" task_id="3"'),
    ]
    annotate(tmp_path / "annotations.xml", meta(holder="project"), *parts)
    for name in ("Train/x/a.png", "Validation/x/a.png", "Train/b.png"):
        save(tmp_path / "images" / name)
    splits = opened(tmp_path)
    assert splits["training"].names == ("b", "x/a")
    assert splits["validation"].names == ("a",)
    assert splits["validation"].images == (tmp_path / "images/Validation/x/a.png",)


def test_a_single_subset_of_another_name_is_no_split(tmp_path: Path) -> None:
    annotate(tmp_path / "annotations.xml", meta(), image("", "a.png", 'subset="default"'))
    save(tmp_path / "images" / "default" / "a.png")
    assert list(opened(tmp_path)) == [""]


def test_images_of_some_subsets_are_refused(tmp_path: Path) -> None:
    parts = [image("", "a.png", 'subset="Train"'), image("", "b.png")]
    annotate(tmp_path / "annotations.xml", meta(), *parts)
    with pytest.raises(InputError, match=r"the subset `default` is one of 2.*set the subset of"):
        opened(tmp_path)


def test_files_of_several_tasks_are_read_together(tmp_path: Path) -> None:
    for split in ("train", "val"):
        annotate(tmp_path / split / "annotations.xml", meta(), image(""))
        save(tmp_path / split / "images" / "a.png")
    splits = opened(tmp_path)
    assert {name: files.names for name, files in splits.items()} == {
        "training": ("a",),
        "validation": ("a",),
    }
    assert splits["validation"].images == (tmp_path / "val" / "images" / "a.png",)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Straße 1/地面.png", "images/Straße 1/地面.png"),
        ("sub\\a.png", "anywhere/sub/a.png"),
        ("../../../elsewhere/a.png", "a.png"),
        ("/etc/a.png", "images/a.png"),
        ("frame_000001", "images/frame_000001.PNG"),
        ("x" * 300 + "/a.png", "a.png"),
    ],
)
def test_images_lie_anywhere_in_the_data_set(written: str, stored: str, tmp_path: Path) -> None:
    annotate(tmp_path / "annotations.xml", meta(), image("", written))
    save(tmp_path / stored)
    (files,) = opened(tmp_path).values()
    assert files.images == (tmp_path / stored,)
    assert files.notes == ()


@pytest.mark.parametrize("written", ["b.png", "../outside.png", "x" * 5000, "."])
def test_missing_images_are_named(written: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    annotate(root / "annotations.xml", meta(), image("", written))
    save(root / "a.png")
    save(tmp_path / "outside.png")
    with pytest.raises(InputError, match=r"annotations\.xml: names the image .*it is not there"):
        opened(root)


BOX = '<box label="car" xtl="1" ytl="1" xbr="2" ybr="2"/>'


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (BOX.replace('label="car"', ""), "image a.png: a shape `box` with no `label`; export"),
        (BOX.replace("car", "ship"), "a shape with the label ship, which the file does not list"),
        (BOX.replace('xtl="1"', ""), "a shape `box` with no `xtl`"),
        (
            BOX.replace('xtl="1"', 'xtl="one"'),
            "a shape `box` with xtl `one`, expected",
        ),
        (BOX.replace('xtl="1"', 'xtl="nan"'), "a shape `box` with xtl `nan`"),
        (BOX.replace('xtl="1"', 'xtl="1e300"'), "a shape `box` with xtl `1e300`"),
        (BOX.replace("/>", ' rotation="inf"/>'), "a shape `box` with rotation `inf`"),
        (BOX.replace("/>", ' z_order="0.5"/>'), "z_order 0.5, expected a whole number"),
        (BOX.replace("/>", f' z_order="{"9" * 5000}"/>'), "z_order `999"),
        ('<polygon label="car" points="1,1;2"/>', "points `1,1;2`, expected pixels such as"),
        ('<polygon label="car" points="1,1,1;2,2,2"/>', "points `1,1,1;2,2,2`"),
        ('<polygon label="car" points="1;2;3"/>', "points `1;2;3`"),
        ('<polygon label="car" points="a,b"/>', "points `a,b`"),
        ('<polygon label="car" points="inf,0;1,1;2,2"/>', "points `inf,0"),
        ('<polygon label="car" points=";"/>', "points `;`"),
        ('<polygon label="car"/>', "a shape `polygon` with no `points`"),
        ('<ellipse label="car" cx="1" cy="1" rx="-1" ry="1"/>', "a radius of -1 pixels"),
        ('<ellipse label="car" cx="1" cy="1" rx="1"/>', "a shape `ellipse` with no `ry`"),
        (
            '<mask label="car" rle="1, x" left="0" top="0" width="1" height="1"/>',
            "`1, x`, expected",
        ),
        (run_lengths(""), "no `rle`"),
        (run_lengths(str(2**70)), "run lengths `118"),
        (
            '<mask label="car" rle="1" left="0" top="0" width="-1" height="-1"/>',
            "height -1, expect",
        ),
        (run_lengths("1", width=0), "width 0, expected at least one pixel"),
        (
            '<mask label="car" rle="1" left="0.5" top="0" width="1" height="1"/>',
            "left 0.5, expected",
        ),
        ("<blob/>", "a shape of type `blob`; expected polygons"),
        ('</image><image width="1" height="1">', "an image with no `name`"),
        ('</image><image name="b" width="0" height="1">', "an image with width 0"),
        ('</image><image name="b" width="x" height="1">', "an image with width `x`"),
        ("</image><track/><image name='b'>", "a track of `CVAT for video`"),
        ("<tag>" * 100 + "</tag>" * 100, "more than 64 elements"),
    ],
)
def test_broken_shapes_are_refused(shape: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says) as caught:
        drawn(tmp_path, shape)
    assert str(caught.value).startswith(f"{tmp_path / 'annotations.xml'}: ")


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (
            '<mask label="car" rle="1, 2" left="0" top="0" width="2" height="2"/>',
            "of 3 pixels, exp",
        ),
        (run_lengths("1, -1, 4"), "run lengths below 0"),
        (run_lengths("9"), "run lengths below 0, or longer than the image, expected 4 pixels"),
        (run_lengths("1", width=99999, height=99999), "at most 120 million pixels"),
        ('<polygon label="car" points="0,0;1e9,0;0,1e9"/>', "not of an image of 8×6 pixels"),
        ('<ellipse label="car" cx="1" cy="1" rx="1e9" ry="1"/>', "not of an image of 8×6 pixels"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says) as caught:
        drawn(tmp_path, shape)
    assert str(caught.value).startswith(f"{tmp_path / 'annotations.xml'}: a.png: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<annotations><meta>", r"annotations\.xml: not CVAT for images 1\.1: no element found"),
        ("<annotations><image name='a'></annotations>", "mismatched tag"),
        ("<annotations><image name='a' name='b'/></annotations>", "duplicate attribute"),
        ("<annotations><image name='&x;'/></annotations>", "undefined entity"),
        ("<x><annotations><image/></annotations></x>", "found the element `x`, expected `annota"),
        ("<annotations><version>1.1</version></annotations>", "names no classes"),
        (
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotations><image/></annotations>",
            "line 1: declares a document type, which is not read; delete the declaration",
        ),
        (
            "<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;'>]><annotations><image name='&c;'/>"
            "</annotations>",
            "declares a document type",
        ),
    ],
)
def test_broken_files_are_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(InputError, match=says):
        opened(tmp_path)


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    annotate(tmp_path / "annotations.xml", meta())
    with pytest.raises(InputError, match=r"CVAT for images 1\.1 without images"):
        opened(tmp_path)


def test_other_xml_files_are_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation><object/></annotation>")
    (tmp_path / "b.xml").write_text("<annotations><item/></annotations>")
    (tmp_path / ".hidden").mkdir()
    annotate(tmp_path / ".hidden" / "annotations.xml", meta())
    assert find_format(tmp_path) is None


def test_written_masks_are_windows_of_each_class(tmp_path: Path) -> None:
    labels = Labels(("background", "a<b", "c"), ((0, 0, 0), (1, 2, 3), (4, 5, 6)), (0, 1, 2))
    mask = np.array([[0, 0, 0], [0, 1, 1], [2, 0, 1]], np.uint8)
    (tmp_path / "out").mkdir()
    save(tmp_path / "i.png")
    write(tmp_path / "out", [LabelledImage("i&", "test", tmp_path / "i.png", mask)], labels)
    text = (tmp_path / "out" / "annotations.xml").read_text()
    assert "<label><name>a&lt;b</name><color>#010203</color></label>" in text
    assert '<image id="0" name="i&amp;.png" subset="Test" width="3" height="3">' in text
    assert 'label="a&lt;b" source="manual" occluded="0" rle="0, 2, 1, 1" left="1" top="1"' in text
    assert 'rle="0, 1" left="0" top="2" width="1" height="1"' in text
    assert text.count("<mask ") == 2
    assert (tmp_path / "out" / "images" / "Test" / "i&.png").is_file()


@pytest.mark.parametrize(
    ("name", "image_name", "says"),
    [
        ("ignored", "i", "the class `ignored` cannot be written for CVAT"),
        ("\x01", "i", r"the class '\\x01' cannot be written into annotations\.xml"),
        ("a ", "i", "the class 'a ' cannot be written"),
        ("a", "\udcff", "the image .* cannot be written into"),
    ],
)
def test_names_that_would_not_be_read_back_are_refused(
    name: str, image_name: str, says: str, tmp_path: Path
) -> None:
    save(tmp_path / "i.png")
    labelled = LabelledImage(image_name, "", tmp_path / "i.png", np.zeros((6, 8), np.uint8))
    with pytest.raises(InputError, match=says):
        write(tmp_path, [labelled], Labels((name,), ((0, 0, 0),), (0,)))
