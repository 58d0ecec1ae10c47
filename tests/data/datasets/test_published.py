"""Tests of all published data sets: pairs, ids, caches, and errors for missing files."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter
from tests.caching import make_cache, samples_equal
from tests.published import OBJECTS, WRITERS, Masks, striped, write_ids

from sceneparse import factory
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.header_index import check_image_sizes
from sceneparse.data.settings import DataSection, DataSettings
from sceneparse.errors import InputError
from sceneparse.system.user_cache import cache_folder
from sceneparse.tasks.check import check

NAMES = tuple(WRITERS)


OPTIONS: dict[str, dict[str, Any]] = {
    "voc2012": {"augmented": True},
    "camvid11": {"kind": "camvid"},
    "camvid32": {"kind": "camvid", "classes": 32},
}


def config(name: str, root: Path, **options: Any) -> DataSettings:
    document = {"kind": name, "root": root, **OPTIONS.get(name, {}), **options}
    return TypeAdapter[Any](DataSection).validate_python(document)


def files(name: str, root: Path, split: str = "training", **options: Any) -> PairedFiles:
    dataset = factory.dataset(config(name, root, cache="off", **options), split)
    assert isinstance(dataset, PairedFiles)
    return dataset


@pytest.fixture(scope="module", params=NAMES)
def tree(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Masks]:
    """Write a data set for read-only use, and return its name, root and raw ids."""
    root = tmp_path_factory.mktemp("published") / request.param
    return request.param, root, WRITERS[request.param](root)


def test_images_pair_with_masks_and_raw_ids_become_train_ids(tree: tuple[str, Path, Masks]) -> None:
    name, root, target = tree
    for split, ids in target.items():
        dataset = files(name, root, split)
        labels = dataset.labels
        assert list(dataset.names) == sorted(ids)
        for index, image in enumerate(dataset.names):
            sample = dataset[index]
            assert sample.image.shape == (*ids[image].shape, 3)
            assert sample.mask.dtype == labels.dtype
            for raw, train in zip(ids[image].flat, sample.mask.flat, strict=True):
                if int(raw) in labels.raw_ids:
                    assert labels.raw_ids[train] == raw
                else:
                    assert train == labels.ignore_index
                    assert int(raw) in labels.ignored_ids
            seen = sample.mask != labels.ignore_index
            assert np.array_equal(labels.decode(sample.mask)[seen], ids[image][seen])


@pytest.mark.parametrize(
    ("name", "classes", "first", "last", "void"),
    [
        ("cityscapes", 19, (7, "road"), (33, "bicycle"), [*range(7), 9, 10]),
        ("voc2012", 21, (0, "background"), (20, "tvmonitor"), [255]),
        ("coco_stuff", 171, (0, "person"), (181, "wood"), [255]),
        ("camvid11", 11, (0, "Sky"), (10, "Bicyclist"), [11]),
        ("camvid32", 31, (0, "Animal"), (31, "Wall"), [30]),
        ("pascal_context", 59, (1, "aeroplane"), (59, "wood"), [0]),
        ("ade20k_full", len(OBJECTS), (7, "object 7, thing"), (3688, "object 3688, thing"), [0, 5]),
    ],
)
def test_classes_are_those_of_the_published_benchmark(
    name: str,
    classes: int,
    first: tuple[int, str],
    last: tuple[int, str],
    void: list[int],
    tmp_path: Path,
) -> None:
    WRITERS[name](tmp_path)
    labels = files(name, tmp_path).labels
    assert labels.num_classes == classes
    assert (labels.raw_ids[0], labels.class_names[0]) == first
    assert (labels.raw_ids[-1], labels.class_names[-1]) == last
    assert set(void) <= set(labels.ignored_ids)
    assert labels.ignore_index == (255 if classes <= 255 else 65535)


def test_a_root_is_recognised_by_its_files(tree: tuple[str, Path, Masks]) -> None:
    name, root, _ = tree
    data = recognise(root)
    assert data is not None
    splits = {name: data.open_split(data.root, name) for name in data.splits()}
    assert list(splits) == ["training", "validation"]
    for split, dataset in splits.items():
        assert dataset == files(name, root, split)


def test_headers_are_indexed(tree: tuple[str, Path, Masks]) -> None:
    name, root, target = tree
    for split, ids in target.items():
        sizes = check_image_sizes(files(name, root, split), root)
        assert sizes.tolist() == [list(raw.shape) for raw in ids.values()]
        assert (
            cache_folder(root) / f"{files(name, root, split).cache_name}.headers.json"
        ).is_file()


def test_cached_samples_equal_those_of_the_files(tree: tuple[str, Path, Masks]) -> None:
    name, root, _ = tree
    make_cache(root)
    for split in ("training", "validation"):
        open_cached = factory.dataset(config(name, root), split)
        plain = files(name, root, split)
        assert isinstance(open_cached, CachedDataset)
        assert open_cached.cached_count == len(plain) == len(open_cached)
        assert all(samples_equal(open_cached[index], plain[index]) for index in range(len(plain)))


def test_check_counts_images_and_pixels(tree: tuple[str, Path, Masks]) -> None:
    _, root, target = tree
    report = check(root)
    assert not report.errors
    assert [split.name for split in report.splits] == ["training", "validation"]
    for split in report.splits:
        raw = np.stack(list(target[split.name].values()))
        assert split.pixels.tolist() == [(raw == id).sum() for id in report.labels.raw_ids]
        assert split.images.tolist() == [
            sum((ids == id).any() for ids in raw) for id in report.labels.raw_ids
        ]
        assert split.void == np.isin(raw, report.labels.ignored_ids).sum()


def test_inspect_accepts_a_single_split(tmp_path: Path) -> None:
    WRITERS["coco_stuff"](tmp_path)
    shutil.rmtree(tmp_path / "images" / "train2017")
    report = check(tmp_path)
    assert [split.name for split in report.splits] == ["validation"]


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_parts(*parts: str) -> Callable[[Path], None]:
    return lambda root: remove(root.joinpath(*parts))


def remove_first(pattern: str) -> Callable[[Path], None]:
    return lambda root: remove(min(root.rglob(pattern)))


def write_unknown_id(pattern: str, value: int) -> Callable[[Path], None]:
    """Write an unknown id into a mask."""
    return lambda root: write_ids(min(root.rglob(pattern)), striped([1, value]))


def change_colors(pattern: str) -> Callable[[Path], None]:
    """Change the colours of a mask slightly."""

    def change(root: Path) -> None:
        path = min(root.rglob(pattern))
        Image.fromarray(np.array(Image.open(path)) // 2 + 3).save(path)

    return change


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (
            "cityscapes",
            remove_parts("gtFine"),
            r"gtFine/train: no such folder.*gtFine_trainvaltest\.zip",
        ),
        (
            "cityscapes",
            remove_parts("leftImg8bit"),
            r"leftImg8bit/train: no such.*leftImg8bit_trainval",
        ),
        (
            "cityscapes",
            remove_first("*_labelIds.png"),
            r"image without a mask of the same name in .*gtF",
        ),
        ("cityscapes", remove_first("*_leftImg8bit.png"), r"_labelIds\.png: mask without an image"),
        (
            "cityscapes",
            write_unknown_id("*_labelIds.png", 255),
            r"values 255 are neither a class \(7\.\.8, 11",
        ),
        (
            "voc2012",
            remove_parts("SegmentationClass"),
            "SegmentationClass: no such folder.*or set data",
        ),
        (
            "voc2012",
            remove_parts("SegmentationClassAug"),
            r"Aug: no such folder.*\.mat files of SBD are",
        ),
        (
            "voc2012",
            remove_first("trainaug.txt"),
            r"trainaug\.txt: no such list.*data\.augmented=false",
        ),
        (
            "voc2012",
            remove_first("*.jpg"),
            r"trainaug\.txt: names 2007_000032, which is not in .*JPEGImag",
        ),
        (
            "voc2012",
            write_unknown_id("SegmentationClass/*.png", 21),
            "values 21 are neither a class",
        ),
        (
            "coco_stuff",
            remove_parts("annotations"),
            r"annotations/train2017: no such folder.*stuffthing",
        ),
        (
            "coco_stuff",
            remove_parts("images"),
            r"images/train2017: no such folder; unpack train2017\.zip",
        ),
        ("coco_stuff", write_unknown_id("*0.png", 11), "values 11 are neither a class"),
        ("camvid11", remove_parts("trainannot"), "trainannot: no such folder"),
        (
            "camvid32",
            remove_parts("train.txt"),
            r"train\.txt: no such list.*write the names of its imag",
        ),
        (
            "camvid32",
            remove_parts("LabeledApproved_full"),
            "LabeledApproved_full: no such folder.*unpack",
        ),
        ("camvid32", remove_first("train*_L.png"), "image without a mask of the same name"),
        (
            "camvid32",
            change_colors("train_0_L.png"),
            r"_L\.png: unknown colours \(.*in \d+ pixels",
        ),
        ("pascal_context", remove_parts("SegmentationClassContext"), "trainval_merged.json"),
        (
            "pascal_context",
            write_unknown_id("SegmentationClassContext/*train*.png", 60),
            "values 60 are",
        ),
        (
            "ade20k_full",
            remove_parts("images"),
            r"images/ADE: no such folder; unpack ADE20K_2021_17_01",
        ),
        ("ade20k_full", remove_first("*_seg.png"), r"\.jpg: image without a mask of the same name"),
        (
            "ade20k_full",
            write_unknown_id("*_seg.png", 3),
            r"_seg\.png: mode L; expected a mask of 8-bit RGB",
        ),
    ],
)
def test_missing_and_wrong_files_raise_an_error_with_the_fix(
    name: str, damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path)
    damage(tmp_path)

    def read_all() -> None:
        dataset = files(name, tmp_path)
        for index in range(len(dataset)):
            _ = dataset[index]

    with pytest.raises(InputError, match=message):
        read_all()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_root_is_reported(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.*: no such folder"):
        files(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["cityscapes", "coco_stuff", "camvid11"])
def test_a_split_without_masks_is_refused(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    with pytest.raises(InputError, match="split `unknown`: this data set has training, validation"):
        files(name, tmp_path, "unknown")


def test_voc_without_sbd_has_only_its_own_images(tmp_path: Path) -> None:
    target = WRITERS["voc2012"](tmp_path)
    plain = files("voc2012", tmp_path, augmented=False)
    assert list(plain.names) == ["2007_000032", "2007_000039"]
    make_cache(tmp_path)
    open_cached = factory.dataset(config("voc2012", tmp_path, augmented=False), "training")
    assert isinstance(open_cached, CachedDataset)
    assert open_cached.cached_count == 2 < len(target["training"])


def test_voc_refuses_training_lists_with_validation_images(tmp_path: Path) -> None:
    WRITERS["voc2012"](tmp_path)
    source = tmp_path / "ImageSets" / "Segmentation" / "trainaug.txt"
    # The lists of SBD contain validation images.
    source.write_text(source.read_text() + "2007_000033\n")
    shutil.copy(
        tmp_path / "SegmentationClassAug" / "2008_000002.png",
        tmp_path / "SegmentationClassAug" / "2007_000033.png",
    )
    with pytest.raises(InputError, match=r"1 of its images are in val\.txt too, .*2007_000033"):
        files("voc2012", tmp_path)


def test_context_can_have_a_background_class(tmp_path: Path) -> None:
    target = WRITERS["pascal_context"](tmp_path)
    dataset = files("pascal_context", tmp_path, background=True)
    assert dataset.labels.num_classes == 60
    assert dataset.labels.class_names[0] == "background"
    for name, mask in zip(dataset.names, (dataset[0].mask, dataset[1].mask), strict=True):
        assert np.array_equal(mask, target["training"][name])


def test_limits_reduce_the_number_of_images(tmp_path: Path) -> None:
    WRITERS["cityscapes"](tmp_path)
    assert len(files("cityscapes", tmp_path, training_limit=2)) == 2
    assert len(files("cityscapes", tmp_path, "validation", training_limit=1)) == 2
