"""Inspect a data set: count its classes and sizes, and list its broken files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.class_statistics import count_mask_pixels
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import SPLITS
from sceneparse.data.datasets.folder import FolderData, folder
from sceneparse.data.datasets.published import PublishedData
from sceneparse.data.datasets.recognise import open_published
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.factory.data import find_data
from sceneparse.labels import Labels
from sceneparse.recording.events import Callback, ignore, tracked


@dataclass(frozen=True)
class SplitCounts:
    """Counts of one split.

    Attributes:
        name: Name of the split.
        sizes: Height and width of each readable image, `(N, 2)`.
        pixels: Pixels of each class, `(C,)`.
        images: Images in which each class occurs, `(C,)`.
        void: Unlabelled pixels.
    """

    name: str
    sizes: NDArray[np.int64]
    pixels: NDArray[np.int64]
    images: NDArray[np.int64]
    void: int


@dataclass(frozen=True)
class DataReport:
    """The contents and the problems of a data set.

    Attributes:
        root: Folder of the data set.
        labels: Classes of the data set.
        splits: Counts of each split.
        problems: One message for each file that cannot be used.
    """

    root: Path
    labels: Labels
    splits: list[SplitCounts]
    problems: list[str]

    def rows(self) -> list[tuple[int, str, float, list[int]]]:
        """List the classes, most frequent first: id, name, share of pixels, images per split."""
        total: NDArray[np.int64] = np.sum([split.pixels for split in self.splits], axis=0)
        labelled = max(1, int(total.sum()))
        return [
            (
                self.labels.raw_ids[index],
                self.labels.class_names[index],
                float(total[index] / labelled),
                [int(split.images[index]) for split in self.splits],
            )
            for index in np.argsort(-total, kind="stable").tolist()
        ]

    def summary(self) -> str:
        """Summarize the splits, the classes that occur and the problems in a few lines."""
        lines = [_split_line(split) for split in self.splits]
        seen: NDArray[np.bool_] = np.sum([split.pixels for split in self.splits], axis=0) > 0
        lines.append(f"{int(seen.sum())} of {self.labels.num_classes} classes occur")
        for split in self.splits[1:]:
            unseen = (split.images > 0) & (self.splits[0].images == 0)
            if unseen.any():
                names = ", ".join(np.array(self.labels.class_names)[unseen][:5])
                lines.append(f"in {split.name} but never in {self.splits[0].name}: {names}")
        lines.append(f"{len(self.problems)} problems" if self.problems else "no problems found")
        return "\n".join(lines)


def inspect_data(path: Path, callback: Callback = ignore) -> DataReport:
    """Read every pixel of a published data set or of a `folder` data set.

    Args:
        path: The data set, or the config of a run on it.
        callback: Called with each event.

    Raises:
        InputError: If the path holds no data set, or images and masks do not pair.
    """
    data = find_data(path)
    splits = _open(data)
    labels = next(iter(splits.values())).labels
    problems: list[str] = []
    counts: list[SplitCounts] = []
    for name, pairs in splits.items():
        sums = _SplitSums(labels.num_classes)
        results = prefetch(_image_counter(pairs), range(len(pairs)), threads=2, ahead=8)
        for result in tracked(results, callback, name, len(pairs)):
            if isinstance(result, str):
                problems.append(result)
            else:
                sums.add(result)
        counts.append(sums.split_counts(name))
    return DataReport(data.root, labels, counts, problems)


class _ImageCounts(NamedTuple):
    """Counts of one image: height and width, pixels of each class, and void pixels."""

    size: tuple[int, int]
    pixels: NDArray[np.int64]
    void: int


class _SplitSums:
    """Running sums of a split; lists of counts would need too much memory with many classes."""

    def __init__(self, num_classes: int) -> None:
        self._sizes: list[tuple[int, int]] = []
        self._pixels = np.zeros(num_classes, np.int64)
        self._images = np.zeros(num_classes, np.int64)
        self._void = 0

    def add(self, counts: _ImageCounts) -> None:
        """Add the counts of an image."""
        self._sizes.append(counts.size)
        self._pixels += counts.pixels
        self._images += counts.pixels > 0
        self._void += counts.void

    def split_counts(self, name: str) -> SplitCounts:
        """Return the sums as the counts of a split."""
        sizes = np.array(self._sizes, np.int64).reshape(-1, 2)
        return SplitCounts(name, sizes, self._pixels, self._images, self._void)


def _open(data: PublishedData | FolderData) -> dict[str, PairedFiles]:
    if isinstance(data, PublishedData):
        return open_published(data)
    return {split: folder(data.root, split) for split in SPLITS}


def _image_counter(pairs: PairedFiles) -> Callable[[int], _ImageCounts | str]:
    def count(index: int) -> _ImageCounts | str:
        try:
            mask = pairs[index].mask
        except InputError as error:
            return str(error)
        pixels = count_mask_pixels(mask, pairs.labels)
        size = (mask.shape[0], mask.shape[1])
        return _ImageCounts(size, pixels, mask.size - int(pixels.sum()))

    return count


def _split_line(split: SplitCounts) -> str:
    if not len(split.sizes):
        return f"{split.name}: no readable images"
    low, middle, high = (tuple(np.percentile(split.sizes, q, axis=0)) for q in (0, 50, 100))
    share = split.void / max(1, split.void + int(split.pixels.sum()))
    return (
        f"{split.name}: {len(split.sizes)} images, "
        f"{low[1]:.0f}×{low[0]:.0f} to {high[1]:.0f}×{high[0]:.0f}, "
        f"median {middle[1]:.0f}×{middle[0]:.0f} pixels, {share:.1%} unlabelled"
    )
