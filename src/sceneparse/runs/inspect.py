"""A look at a whole data set: what is in it, and what is wrong with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from sceneparse.data.ade20k import ade20k
from sceneparse.data.counting import pixels_of
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.folder import folder, is_folder
from sceneparse.data.loader import prefetched
from sceneparse.errors import InputError
from sceneparse.labels import Labels


@dataclass(frozen=True)
class SplitCounts:
    """What was counted in one split.

    Attributes:
        name: Of the split.
        sizes: Height and width of each readable picture, `(N, 2)`.
        pixels: Pixels of each class, `(C,)`.
        pictures: Pictures in which each class occurs, `(C,)`.
        void: Unlabelled pixels.
    """

    name: str
    sizes: NDArray[np.int64]
    pixels: NDArray[np.int64]
    pictures: NDArray[np.int64]
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
        """Lay out the classes: share of labelled pixels, and pictures of each split."""
        table = Table(title=Text(f"classes of {self.root}"), title_justify="left")
        table.add_column("id", justify="right")
        table.add_column("class")
        table.add_column("share", justify="right")
        for split in self.splits:
            table.add_column(f"{split.name} pictures", justify="right")
        total: NDArray[np.int64] = np.sum([split.pixels for split in self.splits], axis=0)
        labelled = max(1, int(total.sum()))
        for index in np.argsort(-total, kind="stable").tolist():
            counts = [str(split.pictures[index]) for split in self.splits]
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
            unseen = (split.pictures > 0) & (self.splits[0].pictures == 0)
            if unseen.any():
                names = ", ".join(np.array(self.labels.class_names)[unseen][:5])
                lines.append(f"in {split.name} but never in {self.splits[0].name}: {names}")
        lines.append(f"{len(self.problems)} problems" if self.problems else "no problems found")
        return "\n".join(lines)


def inspect_data(root: Path, console: Console) -> DataReport:
    """Read every pixel of a data set in ADE20K's layout or a `folder`.

    Raises:
        InputError: If it is neither, or its pictures and masks do not pair.
    """
    splits = _open(root)
    labels = next(iter(splits.values())).labels
    problems: list[str] = []
    counts: list[SplitCounts] = []
    with Progress(console=console, transient=True) as progress:
        for name, pairs in splits.items():
            task = progress.add_task(name, total=len(pairs))
            found: list[tuple[tuple[int, int], NDArray[np.int64], int]] = []
            for result in prefetched(_counted(pairs), range(len(pairs)), threads=2, ahead=8):
                progress.advance(task)
                if isinstance(result, str):
                    problems.append(result)
                else:
                    found.append(result)
            counts.append(_added(name, found, labels.num_classes))
    return DataReport(root, labels, counts, problems)


def _open(root: Path) -> dict[str, PairedFiles]:
    if is_folder(root):
        return {split: folder(root, split) for split in ("training", "validation")}
    splits = [split for split in ("training", "validation") if (root / "images" / split).is_dir()]
    return {split: ade20k(root, split) for split in splits or ["training"]}


def _counted(pairs: PairedFiles) -> Any:
    def count(index: int) -> tuple[tuple[int, int], NDArray[np.int64], int] | str:
        try:
            mask = pairs[index].mask
        except InputError as error:
            return str(error)
        pixels = pixels_of(mask, pairs.labels)
        return (mask.shape[0], mask.shape[1]), pixels, mask.size - int(pixels.sum())

    return count


def _added(name: str, found: list[Any], num_classes: int) -> SplitCounts:
    pixels = np.array([result[1] for result in found]).reshape(-1, num_classes)
    return SplitCounts(
        name=name,
        sizes=np.array([result[0] for result in found]).reshape(-1, 2),
        pixels=pixels.sum(axis=0),
        pictures=(pixels > 0).sum(axis=0),
        void=sum(result[2] for result in found),
    )


def _split_line(split: SplitCounts) -> str:
    if not len(split.sizes):
        return f"{split.name}: no readable pictures"
    low, middle, high = (tuple(np.percentile(split.sizes, q, axis=0)) for q in (0, 50, 100))
    share = split.void / max(1, split.void + int(split.pixels.sum()))
    return (
        f"{split.name}: {len(split.sizes)} pictures, "
        f"{low[1]:.0f}×{low[0]:.0f} to {high[1]:.0f}×{high[0]:.0f}, "
        f"median {middle[1]:.0f}×{middle[0]:.0f} pixels, {share:.1%} unlabelled"
    )
