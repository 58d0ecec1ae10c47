"""Helpers for tests of the cache: small data sets, their caches, and comparisons."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sceneparse import factory
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.dataset import Dataset, PairedFiles, Sample
from sceneparse.data.datasets.folder import FolderData
from sceneparse.recording.events import Event, Message
from sceneparse.tasks.cache import cache_data
from tests.conftest import rectangles

COUNT = 10


def add_image(root: Path, number: int, seed: int | None = None) -> None:
    image, ids = rectangles(number if seed is None else seed, (21 + number, 35 - number))
    Image.fromarray(image).save(root / "images" / f"{number}.png")
    Image.fromarray(ids).save(root / "masks" / f"{number}.png")


def make_cache(root: Path, *splits: str, **options: Any) -> str:
    events: list[Event] = []
    cache_data(root, splits=splits, callback=events.append, **options)
    return "\n".join(event.text for event in events if isinstance(event, Message))


def open_split(
    root: Path, split: str = "training", *, to_learn: bool = True, **data: Any
) -> Dataset:
    # Half of the images are held out, so that both splits have several samples.
    config = FolderData(root=root, validation_share=0.5, **data)
    return factory.dataset(config, split, to_learn=to_learn)


def open_cached(root: Path, split: str = "training", **data: Any) -> CachedDataset:
    dataset = open_split(root, split, **data)
    assert isinstance(dataset, CachedDataset)
    return dataset


def count_cached(root: Path, **data: Any) -> int:
    """Count the samples of both splits that come from the cache."""
    splits = [open_cached(root, split, **data) for split in ("training", "validation")]
    assert sum(map(len, splits)) == len(list((root / "images").iterdir()))
    return sum(split.cached_count for split in splits)


def samples_equal(one: Sample, other: Sample) -> bool:
    arrays = zip(one[:2], other[:2], strict=True)
    return one.name == other.name and all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays
    )


def assert_as_in_files(root: Path, **data: Any) -> None:
    for split in ("training", "validation"):
        cached, files = open_cached(root, split, **data), open_split(root, split, cache="off")
        assert isinstance(files, PairedFiles)
        assert list(cached.names) == list(files.names)
        assert cached.labels == files.labels
        assert all(samples_equal(cached[index], files[index]) for index in range(len(files)))


def index_entries(folder: Path) -> dict[str, list[Any]]:
    lines = (folder / "all.jsonl").read_text().splitlines()[1:]
    return {line[0]: line for line in map(json.loads, lines)}


def write_images(root: Path) -> None:
    """Write a folder of images without splits, each of its own size."""
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    (root / "labels.yaml").write_text("classes: [background, red, green, blue]\n")
    for number in range(COUNT):
        add_image(root, number)
