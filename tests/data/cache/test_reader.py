"""Tests of reading from a cache of decoded images, and of when the cache is not used."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.caching import (
    COUNT,
    assert_as_in_files,
    count_cached,
    index_entries,
    make_cache,
    open_cached,
    open_split,
    samples_equal,
    write_images,
)
from tests.conftest import rectangles

from sceneparse import factory
from sceneparse.data.cache.format import default_cache_folder
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a folder of images without splits."""
    write_images(tmp_path / "data")
    return tmp_path / "data"


def test_cached_samples_are_read_only_views_of_the_file(root: Path) -> None:
    make_cache(root)
    dataset = open_cached(root)
    first, again = dataset[0], dataset[0]
    for one, other in zip(first[:2], again[:2], strict=True):
        assert np.shares_memory(one, other)
        assert not one.flags.writeable
        assert type(one) is np.ndarray


def test_the_cache_keeps_16_bit_ids(root: Path) -> None:
    names = ", ".join(f"c{number}" for number in range(300))
    (root / "labels.yaml").write_text(f"classes: [{names}]\n")
    ids = np.arange(21 * 35, dtype=np.uint16).reshape(21, 35) % 300
    Image.fromarray(ids).save(root / "masks" / "0.png")
    make_cache(root)
    assert_as_in_files(root)
    assert count_cached(root) == COUNT
    split = "training" if "0" in open_cached(root).names else "validation"
    mask = open_cached(root, split)[open_cached(root, split).names.index("0")].mask
    assert mask.dtype == np.uint16
    assert mask.max() == 299


def test_the_cache_of_another_decoder_is_not_used(root: Path) -> None:
    make_cache(root)
    index = default_cache_folder(root) / "all.jsonl"
    first, *rest = index.read_text().splitlines()
    header = json.loads(first)
    header["recipe"]["decoder"] = "another"
    index.write_text("\n".join([json.dumps(header), *rest]) + "\n")
    assert count_cached(root) == 0
    make_cache(root)
    assert count_cached(root) == COUNT


def test_training_requires_a_cache_in_the_configured_folder(root: Path, tmp_path: Path) -> None:
    named = tmp_path / "cache"
    with pytest.raises(InputError) as caught:
        open_split(root, cache=named)
    assert str(caught.value) == (
        f"{named}: holds no cache of these training images; create it with `sceneparse data cache "
        f"{root} --to {named}`, or set data.cache=auto"
    )
    # Evaluation does not need the cache that training used.
    assert isinstance(open_split(root, "validation", cache=named, to_learn=False), PairedFiles)
    make_cache(root, to=named)
    assert_as_in_files(root, cache=named)
    assert isinstance(open_split(root), PairedFiles)


def test_auto_without_a_cache_and_off_read_files(root: Path) -> None:
    assert isinstance(open_split(root), PairedFiles)
    make_cache(root)
    assert isinstance(open_split(root), CachedDataset)
    assert isinstance(open_split(root, cache="off"), PairedFiles)


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(np.repeat(pixels, 3, axis=0), 3, axis=1)


def test_reduced_images_are_used_only_for_training_from_a_configured_cache(root: Path) -> None:
    image, ids = rectangles(0)
    Image.fromarray(enlarged(image)).save(root / "images" / "0.png")
    Image.fromarray(enlarged(ids)).save(root / "masks" / "0.png")
    make_cache(root, short_side=24)
    folder = default_cache_folder(root, 24)
    for split in ("training", "validation"):
        assert isinstance(open_split(root, split), PairedFiles)
        assert isinstance(open_split(root, split, cache=folder, to_learn=False), PairedFiles)
    dataset = open_cached(root, cache=folder)
    assert dataset.short_side == 24
    assert dataset.cached_count == len(dataset)
    sizes = index_entries(folder)
    assert sizes["0"][2:4] == [24, 32]
    assert sizes["1"][2:4] == [22, 34]
    assert sizes["5"][2:4] == [24, 28]


def test_reduced_samples_are_equal_from_cache_and_files(root: Path) -> None:
    make_cache(root, short_side=16)
    folder = default_cache_folder(root, 16)
    before = open_cached(root, cache=folder)
    samples = [before[index] for index in range(len(before))]
    assert all(min(sample.mask.shape) == 16 for sample in samples)
    assert all(set(np.unique(sample.mask)) <= {0, 1, 2, 3} for sample in samples)
    for path in root.rglob("*.png"):
        if path.stem != before.names[0]:
            path.write_bytes(path.read_bytes())
    after = open_cached(root, cache=folder)
    assert after.cached_count == 1
    assert all(samples_equal(after[index], samples[index]) for index in range(len(samples)))
    assert after.renewal.endswith("--short-side 16")


def test_caching_covers_the_given_splits_or_those_that_exist(rectangles_root: Path) -> None:
    folder = default_cache_folder(rectangles_root)
    try:
        assert make_cache(rectangles_root, "validation").startswith("validation: 6 images")
        config = FolderData(root=rectangles_root)
        assert isinstance(factory.dataset(config, "training"), PairedFiles)
        assert isinstance(factory.dataset(config, "validation"), CachedDataset)
        assert make_cache(rectangles_root).startswith("training: 24 images")
        assert isinstance(factory.dataset(config, "training"), CachedDataset)
        with pytest.raises(InputError, match="no test images; its splits: training, validation"):
            make_cache(rectangles_root, "test")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def scenes_root(tmp_path: Path) -> Path:
    """Write generated scenes in the layout of ADE20K."""
    from sceneparse.data.datasets.synthetic import synthetic, write_scene

    for split, count in (("training", 6), ("validation", 1)):
        scenes = synthetic(split, count, (32, 40), 0)
        for index in range(count):
            write_scene(scenes, index, split, tmp_path / "scenes")
    return tmp_path / "scenes"


def test_a_limit_selects_the_same_images_from_the_cache(scenes_root: Path) -> None:
    make_cache(scenes_root)
    for cache in ("auto", "off"):
        config = Ade20kData(root=scenes_root, training_limit=3, cache=cache)
        dataset = factory.dataset(config, "training")
        assert isinstance(dataset, CachedDataset) == (cache == "auto")
        assert list(dataset.names) == ["scene_000000", "scene_000002", "scene_000004"]


@pytest.mark.real
def test_real_samples_are_equal_from_cache_and_files(real_root: Path, tmp_path: Path) -> None:
    for kind, ending in (("images", "jpg"), ("annotations", "png")):
        (tmp_path / "ade" / kind / "training").mkdir(parents=True)
        for path in sorted((real_root / kind / "training").glob(f"*.{ending}"))[:20]:
            (tmp_path / "ade" / kind / "training" / path.name).symlink_to(path)
    make_cache(tmp_path / "ade")
    config = Ade20kData(root=tmp_path / "ade")
    cached = factory.dataset(config, "training")
    files = factory.dataset(replace(config, cache="off"), "training")
    assert isinstance(cached, CachedDataset)
    assert isinstance(files, PairedFiles)
    assert cached.cached_count == len(files) == 20
    assert all(samples_equal(cached[index], files[index]) for index in range(20))


@pytest.mark.parametrize("needed", [4000, 300, 100])
def test_reading_at_a_lower_resolution_equals_reading_from_files(root: Path, needed: int) -> None:
    for path in sorted((root / "images").iterdir())[:2]:
        name = path.stem
        with Image.open(path) as image:
            large = image.convert("RGB").resize((900, 700))
        path.unlink()
        large.save(root / "images" / f"{name}.jpg")
        Image.fromarray(np.zeros((700, 900), np.uint8)).save(root / "masks" / f"{name}.png")
    make_cache(root)
    cached = open_cached(root)
    for index in range(len(cached)):
        expected = cached.files.read_reduced(index, needed, needed)
        found = cached.read_reduced(index, needed, needed)
        np.testing.assert_array_equal(found.image, expected.image)
        np.testing.assert_array_equal(found.mask, expected.mask)
