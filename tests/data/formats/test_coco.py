"""Tests of COCO's JSON files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats.registry import FORMATS, format_named
from sceneparse.errors import InputError
from sceneparse.tasks.check import check

SQUARE = [[0, 0, 4, 0, 4, 4, 0, 4]]


def annotation(image: int = 1, category: int = 3, segmentation: Any = SQUARE) -> Any:
    return {"image_id": image, "category_id": category, "segmentation": segmentation}


def document(*annotations: Any, images: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "images": [
            {"id": number, "file_name": f"{number}.png", "height": 8, "width": 10}
            for number in range(1, images + 1)
        ],
        "annotations": list(annotations),
        "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}],
        **more,
    }


def twice_the_same_id() -> dict[str, Any]:
    content = document(annotation(), images=2)
    content["images"][1]["id"] = 1
    return content


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for image in content["images"]:
        Image.new("RGB", (10, 8), (9, 9, 9)).save(path.parent / image["file_name"])
    path.write_text(json.dumps(content), encoding="utf-8")


def opened(root: Path) -> Any:
    return FolderData(root=root, uncovered="background")


def test_ids_are_those_of_the_categories(tmp_path: Path) -> None:
    write(tmp_path / "d.json", document(annotation(), annotation(category=9, segmentation=[])))
    labels = opened(tmp_path).find_labels()
    assert dict(zip(labels.class_names, labels.raw_ids, strict=True)) == {
        "background": 0,
        "cat": 3,
        "dog": 9,
    }
    with_zero = document(categories=[{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}])
    write(tmp_path / "d.json", with_zero)
    assert opened(tmp_path).find_labels().raw_ids == (2, 0, 1)
    assert FolderData(root=tmp_path, uncovered="ignore").find_labels().ignored_ids == (255,)


def test_ids_that_no_mask_can_hold_are_replaced(tmp_path: Path) -> None:
    categories = [{"id": 3, "name": "cat"}, {"id": 10**9, "name": "dog"}]
    write(tmp_path / "d.json", document(annotation(category=10**9), categories=categories))
    data = opened(tmp_path)
    assert data.find_labels().raw_ids == (0, 1, 2)
    assert data.find_labels().class_names[data.unsplit()[0].mask[0, 0]] == "dog"


def test_several_polygons_and_both_forms_of_run_lengths_are_drawn(tmp_path: Path) -> None:
    two = [*SQUARE, [6, 6, 8, 6, 8, 8, 6, 8]]
    # Column by column: 76 pixels outside, the 4 lowest of the last column inside.
    runs = {"size": [8, 10], "counts": [76, 4]}
    write(tmp_path / "d.json", document(annotation(segmentation=two), annotation(1, 9, runs)))
    mask = opened(tmp_path).unsplit()[0].mask
    names = np.array(opened(tmp_path).find_labels().class_names)[mask]
    assert (names == "cat").sum() == 20
    assert (names[4:, 9] == "dog").all()
    assert (names == "dog").sum() == 4


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (
            ["train/_annotations.coco.json", "valid/_annotations.coco.json"],
            ["training", "validation"],
        ),
        (["annotations/instances_train2017.json"], ["training"]),
        (["train.json", "val.json", "test.json"], ["test", "training", "validation"]),
        (["result.json"], [""]),
    ],
)
def test_splits_are_those_of_files_or_folders(
    files: list[str], splits: list[str], tmp_path: Path
) -> None:
    for number, name in enumerate(files):
        content = document(annotation())
        content["images"][0]["file_name"] = f"of{number}.png"
        write(tmp_path / name, content)
    assert sorted(opened(tmp_path).all_splits()) == splits


@pytest.mark.parametrize("root", ["train", "val", "test", "mine"])
@pytest.mark.parametrize("join", ["_", "-", "."])
def test_the_name_of_the_root_is_no_split(root: str, join: str, tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val")):
        content = document(annotation())
        content["images"][0]["file_name"] = f"of{number}.png"
        write(tmp_path / root / f"instances{join}{split}.json", content)
    assert sorted(opened(tmp_path / root).all_splits()) == ["training", "validation"]


def test_a_file_beside_those_of_single_images_is_found(tmp_path: Path) -> None:
    for number in range(70):
        (tmp_path / f"{number}.json").write_text("[]", encoding="utf-8")
    write(tmp_path / "_annotations.coco.json", document(annotation()))
    assert len(opened(tmp_path).unsplit()) == 1
    (tmp_path / "_annotations.coco.json").rename(tmp_path / "result.json")
    with pytest.raises(InputError, match=r"found 71 JSON files; of more than 64, only _annot"):
        FolderData(root=tmp_path, format="coco").unsplit()


def test_captions_of_the_same_images_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "annotations" / "instances_train2017.json", document(annotation()))
    write(tmp_path / "annotations" / "person_keypoints_train2017.json", document())
    assert list(opened(tmp_path).all_splits()) == ["training"]


def test_validation_images_are_held_out_where_there_are_none(tmp_path: Path) -> None:
    write(
        tmp_path / "train" / "_annotations.coco.json",
        document(*(annotation(number) for number in range(1, 6)), images=5),
    )
    data = opened(tmp_path)
    training, validation = data.files("training"), data.files("validation")
    assert sorted([*training.names, *validation.names]) == ["1", "2", "3", "4", "5"]
    assert "20% of the training images are held out" in validation.notes[-1]
    assert training.cache_name != validation.cache_name
    with pytest.raises(InputError, match="has no test images; its splits: training"):
        data.files("test")


def test_boxes_without_an_outline_are_counted(tmp_path: Path) -> None:
    write(
        tmp_path / "d.json",
        document(annotation(1), annotation(2), annotation(2, segmentation=None), images=2),
    )
    report = check(tmp_path, overrides=["data.uncovered=background"])
    (finding,) = [each for each in report.findings if each.kind == "without_area"]
    assert finding.text.startswith("1 annotations mark no area")
    assert finding.files == ("2.png",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (document(annotation(image=7)), "an annotation of image 7 with category 3, which the file"),
        (document(annotation(category=7)), "image 1 with category 7, which the file"),
        (document(annotation(segmentation=[["a"]])), "not COCO JSON: .* at `annotations"),
        (document(categories=[]), "names no classes"),
        (
            document(categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}]),
            "two classes have the name cat",
        ),
        (document(images=0), "COCO JSON without images"),
        (document(annotation(segmentation=[[0, 0, 4, 0, 4, 4, 0]])), "image 1 with 7 numbers"),
        (twice_the_same_id(), r"two images have the id 1, one of them 2\.png; give each its own"),
    ],
)
def test_a_wrong_file_is_refused(content: Any, says: str, tmp_path: Path) -> None:
    write(tmp_path / "d.json", content)
    with pytest.raises(InputError, match=says) as caught:
        opened(tmp_path).unsplit()
    assert str(tmp_path) in str(caught.value)


def test_files_whose_split_is_unknown_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.json", document(annotation()))
    write(tmp_path / "other.json", document(annotation()))
    with pytest.raises(InputError, match=r"other\.json: one of 2 files of annotations"):
        opened(tmp_path).all_splits()


def test_one_image_annotated_twice_is_refused(tmp_path: Path) -> None:
    content = document(annotation(), images=2)
    content["images"][1]["file_name"] = "1.png"
    write(tmp_path / "d.json", content)
    with pytest.raises(InputError, match="1 images are annotated twice"):
        opened(tmp_path).unsplit()


def test_run_lengths_of_another_image_are_refused_by_the_check(tmp_path: Path) -> None:
    runs = {"size": [9, 9], "counts": [81]}
    write(tmp_path / "d.json", document(annotation(segmentation=runs)))
    with pytest.raises(InputError, match="run lengths of an image of 9×9 pixels, expected 10×8"):
        _ = opened(tmp_path).unsplit()[0]


def test_two_formats_in_one_folder_need_a_word(tmp_path: Path) -> None:
    write(tmp_path / "d.json", document(annotation()))
    labelme = {"shapes": [], "imagePath": "1.png"}
    (tmp_path / "0.json").write_text(json.dumps(labelme), encoding="utf-8")
    with pytest.raises(InputError, match=r"set data\.format=coco or data\.format=labelme"):
        opened(tmp_path).unsplit()
    assert len(FolderData(root=tmp_path, format="coco", uncovered="ignore").unsplit()) == 1


def test_masks_beside_a_labels_yaml_come_before_other_annotations(tmp_path: Path) -> None:
    write(tmp_path / "images" / "d.json", document(annotation()))
    (tmp_path / "masks").mkdir()
    Image.new("L", (10, 8), 1).save(tmp_path / "masks" / "1.png")
    (tmp_path / "labels.yaml").write_text("classes: [a, b]\n")
    assert FolderData(root=tmp_path).unsplit()[0].mask.min() == 1


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_empty_folder_is_refused_by_each_format(name: str, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError) as caught:
        FolderData(root=tmp_path, format=name).unsplit()
    assert str(tmp_path) in str(caught.value)


def test_each_format_has_the_name_of_its_module() -> None:
    for name in FORMATS:
        assert format_named(name).name == name
