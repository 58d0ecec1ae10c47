"""A look at a whole data set: what is in it, and what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from sceneparse.data.class_statistics import counted
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import folder
from sceneparse.data.datasets.recognise import Layout, open_published
from sceneparse.data.loader import prefetched
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.tasks.data_files import data_at


@dataclass(frozen=True)
class SplitCounts:
    """What was counted in one split.

    Attributes:
        name: Of the split.
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
    """What is in a data set.

    Attributes:
        root: Its folder.
        labels: Its classes.
        splits: Counts of each split.
        problems: One message for each file that cannot be used.
    """

    root: Path
    labels: Labels
    splits: list[SplitCounts]
    problems: list[str]

    def table(self) -> Table:
        """Lay out the classes: share of labelled pixels, and images of each split."""
        table = Table(title=Text(f"classes of {self.root}"), title_justify="left")
        table.add_column("id", justify="right")
        table.add_column("class")
        table.add_column("share", justify="right")
        for split in self.splits:
            table.add_column(f"{split.name} images", justify="right")
        total: NDArray[np.int64] = np.sum([split.pixels for split in self.splits], axis=0)
        labelled = max(1, int(total.sum()))
        for index in np.argsort(-total, kind="stable").tolist():
            counts = [str(split.images[index]) for split in self.splits]
            share = f"{total[index] / labelled:.3%}"
            table.add_row(
                str(self.labels.raw_ids[index]),
                Text(self.labels.class_names[index]),
                share,
                *counts,
            )
        return table

    def summary(self) -> str:
        """Say in a few lines what there is."""
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


def inspect_data(path: Path, console: Console) -> DataReport:
    """Read every pixel of a `folder`, or of a published data set in its layout.

    Args:
        path: The data set, or the config of a run on it.
        console: Where progress is shown.

    Raises:
        InputError: If it is neither, or its images and masks do not pair.
    """
    root, layout = data_at(path)
    splits = _open(root, layout)
    labels = next(iter(splits.values())).labels
    problems: list[str] = []
    counts: list[SplitCounts] = []
    with Progress(console=console, transient=True) as progress:
        for name, pairs in splits.items():
            task = progress.add_task(name, total=len(pairs))
            sums = _Sums(labels.num_classes)
            for result in prefetched(_counted(pairs), range(len(pairs)), threads=2, ahead=8):
                progress.advance(task)
                if isinstance(result, str):
                    problems.append(result)
                else:
                    sums.add(result)
            counts.append(sums.of_split(name))
    return DataReport(root, labels, counts, problems)


class _ImageCounts(NamedTuple):
    """What was counted in one image: its height and width, pixels of each class, and void."""

    size: tuple[int, int]
    pixels: NDArray[np.int64]
    void: int


class _Sums:
    """Counts of a split, added up image by image: with thousands of classes, lists fill up."""

    def __init__(self, num_classes: int) -> None:
        self._sizes: list[tuple[int, int]] = []
        self._pixels = np.zeros(num_classes, np.int64)
        self._images = np.zeros(num_classes, np.int64)
        self._void = 0

    def add(self, counts: _ImageCounts) -> None:
        """Add an image."""
        self._sizes.append(counts.size)
        self._pixels += counts.pixels
        self._images += counts.pixels > 0
        self._void += counts.void

    def of_split(self, name: str) -> SplitCounts:
        """Return what came together."""
        sizes = np.array(self._sizes, np.int64).reshape(-1, 2)
        return SplitCounts(name, sizes, self._pixels, self._images, self._void)


def _open(root: Path, layout: Layout | None) -> dict[str, PairedFiles]:
    if layout:
        return open_published(layout, root)
    return {split: folder(root, split) for split in ("training", "validation")}


def _counted(pairs: PairedFiles) -> Callable[[int], _ImageCounts | str]:
    def count(index: int) -> _ImageCounts | str:
        try:
            mask = pairs[index].mask
        except InputError as error:
            return str(error)
        pixels = counted(mask, pairs.labels)
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
