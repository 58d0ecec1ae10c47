"""Tests of pairing images with masks, and of the errors when they do not match."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.data.pairing import pair_folders
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import distinct_colors

LABELS = Labels(("a", "b"), distinct_colors(2), (1, 2), (0,))


def write_image(path: Path, size: tuple[int, int] = (4, 6), value: int = 50) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def write_mask(path: Path, size: tuple[int, int] = (4, 6), value: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write three pairs, each with its own value in image and mask."""
    for index, name in enumerate(("c", "a", "b")):
        write_image(tmp_path / "images" / f"{name}.png", value=100 + index)
        write_mask(tmp_path / "masks" / f"{name}.png", value=index)
    return tmp_path


def open_pairs(root: Path) -> PairedFiles:
    return pair_folders(root / "images", root / "masks", LABELS)


def error_message(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_pairs(root)
    return str(caught.value).replace(str(root), "ROOT")


def test_pairs_are_sorted_by_name(root: Path) -> None:
    pairs = open_pairs(root)
    assert len(pairs) == 3
    assert [pairs[index].name for index in range(3)] == ["a", "b", "c"]
    assert [pairs[index].image[0, 0, 0] for index in range(3)] == [101, 102, 100]
    assert [pairs[index].mask[0, 0] for index in range(3)] == [0, 1, 255]


def test_pairs_may_have_different_suffixes(root: Path) -> None:
    write_image(root / "images" / "d.JPG")
    write_mask(root / "masks" / "d.TIF")
    assert open_pairs(root)[3].name == "d"


@pytest.mark.parametrize("name", ["._a.png", ".DS_Store", ".hidden.png", "Thumbs.db", "notes.txt"])
def test_hidden_and_other_files_are_skipped(name: str, root: Path) -> None:
    for kind in ("images", "masks"):
        (root / kind / name).write_bytes(b"none of ours")
    assert [path.stem for path in open_pairs(root).images] == ["a", "b", "c"]


def test_a_missing_folder_raises_an_error_with_the_existing_ones(root: Path) -> None:
    (root / "masks").rename(root / "labels")
    assert error_message(root) == "ROOT/masks: no such folder; the folders in ROOT: images, labels"


def test_a_folder_without_images_raises_an_error_with_the_suffixes(root: Path) -> None:
    for path in (root / "images").iterdir():
        path.unlink()
    (root / "images" / "train").mkdir()
    message = error_message(root)
    assert message.startswith("ROOT/images: no files that end in .avif, .bmp, .dds")
    assert message.endswith("; the folders in ROOT/images: train")


def test_an_image_without_a_mask_is_reported(root: Path) -> None:
    (root / "masks" / "b.png").unlink()
    assert error_message(root) == (
        "ROOT/images/b.png: image without a mask of the same name in ROOT/masks; "
        "add it or remove this one"
    )


def test_masks_without_an_image_are_counted(root: Path) -> None:
    (root / "images" / "b.png").unlink()
    (root / "images" / "c.png").unlink()
    assert error_message(root).startswith(
        "ROOT/masks/b.png: mask without an image of the same name in ROOT/images (and 1 more)"
    )


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_two_files_of_the_same_name_are_refused(kind: str, root: Path) -> None:
    write_image(root / kind / "b.bmp")
    assert error_message(root).startswith(
        f"ROOT/{kind}/b.png: b.bmp has the same name with another suffix"
    )


def test_different_sizes_are_reported_as_width_by_height(root: Path) -> None:
    write_mask(root / "masks" / "b.png", (6, 4))
    pairs = open_pairs(root)
    for method in (pairs.__getitem__, pairs.check_headers):
        with pytest.raises(InputError, match=r"masks/b\.png: 4×6 pixels, but b\.png has 6×4"):
            method(1)
    pairs.check_headers(0)


def test_checking_headers_detects_a_mask_of_another_kind(root: Path) -> None:
    Image.new("CMYK", (6, 4)).save(root / "masks" / "b.tif")
    (root / "masks" / "b.png").unlink()
    with pytest.raises(InputError, match=r"masks/b\.tif: a mask in mode CMYK"):
        open_pairs(root).check_headers(1)


def test_checking_headers_applies_the_exif_orientation(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(root / "images" / "b.png", exif=exif)
    write_mask(root / "masks" / "b.png", (6, 4))
    pairs = open_pairs(root)
    pairs.check_headers(1)
    assert pairs[1].image.shape[:2] == pairs[1].mask.shape == (6, 4)


def test_unknown_ids_are_reported_with_the_file(root: Path) -> None:
    Image.fromarray(np.array([[1, 2, 7, 9, 255, 0]] * 4, np.uint8)).save(root / "masks" / "b.png")
    with pytest.raises(InputError) as caught:
        _ = open_pairs(root)[1]
    assert str(caught.value).startswith(
        f"{root / 'masks' / 'b.png'}: values 7, 9, 255 are neither a class (1..2) nor ignored (0)"
    )


@pytest.mark.parametrize("max_samples", [1, 2, 3, 7, None])
def test_a_subsample_is_evenly_spaced(max_samples: int | None, root: Path) -> None:
    pairs = open_pairs(root)
    subset = pairs.subsample(max_samples)
    assert len(subset) == min(max_samples or 3, 3)
    assert subset.images == {1: pairs.images[:1], 2: pairs.images[:2]}.get(
        max_samples or 3, pairs.images
    )
    assert [each.path.stem for each in subset.annotations] == [path.stem for path in subset.images]


def test_ade20k_reports_missing_folders(root: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        ade20k(root / "nowhere", "training")
    with pytest.raises(InputError, match="expected the folders `images` and `annotations`"):
        ade20k(root, "training")
    (root / "masks").rename(root / "annotations")
    (root / "images" / "training").mkdir()
    with pytest.raises(InputError, match=r"images/train: no such folder; .*images: training"):
        ade20k(root, "train")


@pytest.mark.real
@pytest.mark.parametrize(("split", "count"), [("training", 1600), ("validation", 200)])
def test_real_images_pair_with_masks_of_equal_size(split: str, count: int, real_root: Path) -> None:
    pairs = ade20k(real_root, split)
    assert len(pairs) == count
    for index in range(0, count, 40):
        pairs.check_headers(index)
        sample = pairs[index]
        assert sample.image.shape[:2] == sample.mask.shape
        assert set(np.unique(sample.mask).tolist()) <= {*range(150), 255}
