"""From a data set in files to its cache of decoded images."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sceneparse.data.cache.format import default_folder
from sceneparse.data.cache.reader import Packed
from sceneparse.data.cache.writer import Packing, damaged, planned, written
from sceneparse.data.dataset import WHOLE, Dataset, PairedFiles
from sceneparse.data.datasets.folder import folder, whole_folder
from sceneparse.data.datasets.recognise import Layout, open_published, published
from sceneparse.data.header_index import checked_sizes
from sceneparse.errors import InputError
from sceneparse.system.user_cache import locked
from sceneparse.tasks.events import Callback, Message, activity, ignore, tracked


@dataclass(frozen=True)
class CacheOrder:
    """Which cache is to be made.

    Attributes:
        root: The data set.
        to: The folder of the cache; none for one in the user's cache folder.
        splits: Which splits; none for those that there are.
        short_side: What the shorter side of larger images is reduced to; none for no limit.
        check: Whether to read what is there already, and to renew what is damaged.
        layout: How the data set lies in its folder; none to look.
    """

    root: Path
    to: Path | None = None
    splits: tuple[str, ...] = ()
    short_side: int | None = None
    check: bool = False
    layout: Layout | None = None

    @property
    def folder(self) -> Path:
        """Where the cache goes."""
        return self.to or default_folder(self.root, self.short_side)


def cache_data(order: CacheOrder, callback: Callback = ignore) -> None:
    """Decode what a cache lacks, and leave there what it has.

    Raises:
        InputError: If the data set is not as it should be, or the cache does not fit on the disk.
    """
    parts = _parts(order)
    # Each holds a decoded image or two: more threads would only take more memory.
    threads = min(os.cpu_count() or 1, 8)
    with locked(order.folder):
        packings = {name: _packing(order, files) for name, files in parts.items()}
        if order.check:
            with activity(callback, "reading the cache"):
                packings = {name: _checked(it, threads) for name, it in packings.items()}
        for name, packing in packings.items():
            callback(Message(_what_to_do(name, packing)))
        _check_room(order.folder, list(packings.values()))
        for name, packing in packings.items():
            for _ in tracked(written(packing, threads), callback, name, len(packing.missing)):
                pass


def how_to_use(order: CacheOrder) -> str:
    """Say how a run comes to read from a cache that has been made."""
    if order.to is None and order.short_side is None:
        return f"{order.folder}: runs on {order.root} read from here (data.cache=auto)"
    return f"{order.folder}: runs with data.cache={order.folder} read from here"


def cache_notes(datasets: Mapping[str, Dataset]) -> Iterator[str]:
    """Say of each split that has a cache how much of it must be read from files all the same."""
    for split, dataset in datasets.items():
        if isinstance(dataset, Packed) and dataset.held < len(dataset):
            yield (
                f"{dataset.folder}: holds {dataset.held} of {len(dataset)} {split} images as "
                f"they are now; the others are read from their files; renew it: {dataset.renewal}"
            )


def _parts(order: CacheOrder) -> dict[str, PairedFiles]:
    """Open the splits asked for, or those that there are."""
    root, splits = order.root, order.splits
    layout = order.layout or published(root)
    if layout:
        return open_published(layout, root, splits)
    there = [split for split in ("training", "validation") if (root / "images" / split).is_dir()]
    if there or any((root / "images" / split).is_dir() for split in splits):
        return {split: folder(root, split) for split in splits or there}
    if splits:
        raise InputError(
            f"{root / 'images'}: has no folders of splits, so all images are cached together; "
            "leave out the split",
            "split",
        )
    return {WHOLE: whole_folder(root)}


def _packing(order: CacheOrder, files: PairedFiles) -> Packing:
    sizes = checked_sizes(files, order.root)
    return planned(files, sizes, order.root, order.folder, order.short_side)


def _checked(packing: Packing, threads: int) -> Packing:
    return packing.without(damaged(packing, threads))


def _what_to_do(name: str, packing: Packing) -> str:
    total, missing = len(packing.files), len(packing.missing)
    if not missing:
        return f"{name}: {total} images, all there"
    there = f", {total - missing} there already" if missing < total else ""
    return f"{name}: {total} images{there}, {_size(packing.missing_bytes)} to be written"


def _check_room(folder: Path, packings: list[Packing]) -> None:
    needed = sum(packing.missing_bytes - packing.freed_bytes for packing in packings)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder}: {_size(free)} free, expected at least {_size(needed)}; make room, choose a "
            "folder on another disk, or reduce large images",
            "to",
            "short_side",
        )


def _size(count: int) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
