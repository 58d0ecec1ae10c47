"""Tests of folders of own images, with each form of `labels.yaml`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData, folder_labels
from sceneparse.data.datasets.recognise import recognise
from sceneparse.errors import InputError


def folder(
    root: Path, split: str, validation_share: float = 0.2, group_by: str | None = None
) -> PairedFiles:
    data = FolderData(root=root, validation_share=validation_share, group_by=group_by)
    return data.files(split)


def add_pair(root: Path, name: str, split: str = "", value: int = 1) -> None:
    for kind, shape in (("images", (4, 4, 3)), ("masks", (4, 4))):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(shape, value, np.uint8)).save(root / kind / split / f"{name}.png")


def make_root(root: Path, text: str = "classes: [background, cat]") -> Path:
    root.mkdir(exist_ok=True)
    (root / "labels.yaml").write_text(text, encoding="utf-8")
    return root


def split_names(root: Path, split: str, share: float = 0.2) -> set[str]:
    return {path.stem for path in folder(root, split, share).images}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("classes: [background, cat]\nignored_ids: [9]", [0, 1, 255]),
        ("classes: {1: background, 0: cat}\nignored_ids: [9]", [1, 0, 255]),
        (
            "classes:\n- {id: 0, name: background, color: [1, 2, 3]}\n- {id: 1, name: Kätzchen}\n"
            "- {id: 9, name: dog}",
            [0, 1, 2],
        ),
    ],
)
def test_classes_may_be_a_list_a_mapping_or_entries(
    text: str, expected: list[int], tmp_path: Path
) -> None:
    root = make_root(tmp_path / "data", text)
    for name, value in (("a", 0), ("b", 1), ("c", 9)):
        add_pair(root, name, "training", value)
    pairs = FolderData(root=root).all_splits()["training"]
    assert [int(pairs[index].mask[0, 0]) for index in range(3)] == expected


def test_folders_of_splits_are_used(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for split in ("training", "validation", "test"):
        add_pair(root, f"of {split}", split)
    for split in ("training", "validation", "test"):
        assert split_names(root, split) == {f"of {split}"}


def test_without_splits_a_share_is_held_out(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for index in range(200):
        add_pair(root, f"{index:03d}")
    training, validation = split_names(root, "training"), split_names(root, "validation")
    assert training | validation == {f"{index:03d}" for index in range(200)}
    assert not training & validation
    assert 25 <= len(validation) <= 55
    assert len(split_names(root, "validation", 0.5)) > 80
    assert validation < split_names(root, "validation", 0.5)


def test_held_out_images_stay_held_out_when_images_are_added(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for index in range(30):
        add_pair(root, f"old {index}")
    before = {split: split_names(root, split) for split in ("training", "validation")}
    for index in range(60):
        add_pair(root, f"new {index}")
        if index % 10 == 0:
            assert before["training"] <= split_names(root, "training")
            assert before["validation"] <= split_names(root, "validation")
    assert len(split_names(root, "validation")) > len(before["validation"])


def test_held_out_images_do_not_depend_on_the_path_of_the_folder(tmp_path: Path) -> None:
    root = make_root(tmp_path / "here")
    for index in range(20):
        add_pair(root, f"{index}")
    shutil.copytree(root, tmp_path / "there")
    assert split_names(root, "validation") == split_names(tmp_path / "there", "validation")


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_two_images_make_two_splits(share: float, tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a")
    add_pair(root, "b")
    assert split_names(root, "training", share) | split_names(root, "validation", share) == {
        "a",
        "b",
    }
    assert len(split_names(root, "validation", share)) == 1


def test_one_image_can_be_evaluated_but_not_split(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a")
    assert split_names(root, "validation") == {"a"}
    with pytest.raises(InputError, match=r"one image is too few .* add images"):
        folder(root, "training")


@pytest.mark.parametrize(
    ("training", "validation"), [("train", "val"), ("Train", "VALID"), ("training", "valid")]
)
def test_splits_have_the_usual_names(training: str, validation: str, tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a", training)
    add_pair(root, "b", validation)
    add_pair(root, "c", "test")
    found = {split: split_names(root, split) for split in ("training", "validation", "test")}
    assert found == {"training": {"a"}, "validation": {"b"}, "test": {"c"}}


def test_splits_may_lie_above_images_and_masks(tmp_path: Path) -> None:
    make_root(tmp_path)
    for split in ("train", "val"):
        add_pair(tmp_path / split, f"of {split}")
    assert split_names(tmp_path, "training") == {"of train"}
    assert split_names(tmp_path, "validation") == {"of val"}


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for split in ("train", "val", "valid"):
        add_pair(root, "a", split)
    with pytest.raises(InputError, match=r"images/valid and .*images/val may both be the valid"):
        folder(root, "validation")


def test_a_missing_split_raises_an_error_with_the_existing_ones(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a", "test")
    with pytest.raises(InputError, match=r"has no validation images; its splits: test; add them"):
        folder(root, "validation")


def test_training_images_are_held_out_where_there_is_no_validation_split(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for index in range(20):
        add_pair(root, f"{index:02d}", "train")
    add_pair(root, "apart", "test")
    data = FolderData(root=root)
    training, validation = data.files("training"), data.files("validation")
    assert sorted([*training.names, *validation.names]) == [f"{index:02d}" for index in range(20)]
    assert "20% of the training images are held out for it" in validation.notes[0]
    assert data.splits() == ("training", "validation")
    assert {name: len(files) for name, files in data.all_splits().items()} == {
        "training": 20,
        "test": 1,
    }


def test_images_in_subfolders_are_paired(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for name, place in (("a", "train"), ("a", "train/day 2"), ("b", "train/day 2/late")):
        add_pair(root, name, place)
    pairs = FolderData(root=root).all_splits()["training"]
    assert pairs.names == ("a", "day 2/a", "day 2/late/b")
    assert pairs[1].name == "day 2/a"


def test_images_outside_of_the_splits_are_counted(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for name, place in (("a", "train"), ("b", "val"), ("c", ""), ("d", "late"), ("e", "late/x")):
        add_pair(root, name, place)
    for split in ("training", "validation"):
        (note,) = folder(root, split).notes
        assert note.startswith("3 images lie outside of the folders of splits and are left out")
        assert note.endswith("such as images/c.png")


def test_images_of_one_group_are_held_out_together(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for patient in range(20):
        for index in range(3):
            add_pair(root, f"patient{patient}_{index}")
    pairs = {
        split: folder(root, split, 0.3, r"^(patient\d+)_").names
        for split in ("training", "validation")
    }
    groups = {split: {name.split("_")[0] for name in names} for split, names in pairs.items()}
    assert not groups["training"] & groups["validation"]
    assert groups["validation"]
    assert sum(map(len, pairs.values())) == 60
    with pytest.raises(InputError, match=r"data\.group_by: .* does not match the image patient0_0"):
        folder(root, "training", 0.3, r"(clinic)")


@pytest.mark.parametrize(
    ("images", "masks", "lists"),
    [("images", "annotations", False), ("JPEGImages", "SegmentationClass", True)],
)
def test_own_classes_are_read_in_the_layout_of_a_published_data_set(
    images: str, masks: str, lists: bool, tmp_path: Path
) -> None:
    root = make_root(tmp_path)
    for name in ("a", "b"):
        add_pair(root, name, "" if lists else {"a": "training", "b": "validation"}[name])
    (root / "images").rename(root / images)
    (root / "masks").rename(root / masks)
    if lists:
        (root / "ImageSets" / "Segmentation").mkdir(parents=True)
        for split, name in (("train", "a"), ("val", "b")):
            (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(f"{name}\n")
    assert recognise(root) is None
    assert split_names(root, "training") == {"a"}
    assert split_names(root, "validation") == {"b"}
    assert folder(root, "training").labels.class_names == ("background", "cat")


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_split_without_images_or_masks_is_refused(kind: str, tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a", "training")
    shutil.rmtree(root / kind / "training")
    with pytest.raises(InputError, match=f"{kind}/training: no such folder"):
        folder(root, "training")


@pytest.mark.parametrize("split", ["training", "validation"])
def test_a_folder_without_masks_is_refused(split: str, tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a")
    shutil.rmtree(root / "masks")
    with pytest.raises(InputError, match="masks: no such folder"):
        folder(root, split)


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    add_pair(root, "a")
    with pytest.raises(InputError, match="has no test images; its splits: none"):
        folder(root, "test")


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: no such folder; set data\.root"):
        folder(tmp_path / "none", "training")


def test_missing_labels_raise_an_error_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels\.yaml: no such file; .*classes: \[background"):
        folder(tmp_path, "training")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"classes: [a", "not YAML"),
        (b"classes: [\xe4]", "not YAML in UTF-8"),
        (b"classes: [2026-13-45]", "not YAML"),
        (b"", "expected a key `classes`"),
        (b"classes: [a]\nignored_ids: 255", "found 255"),
    ],
)
def test_an_invalid_labels_file_is_reported(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        folder_labels(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "labels.yaml"))


def test_a_labels_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_bytes(b"\xef\xbb\xbfclasses: [a, b]\r\n")
    assert folder_labels(tmp_path).class_names == ("a", "b")
