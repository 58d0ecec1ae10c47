"""Build the cache of decoded images of a data set."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sceneparse.data.cache.format import default_cache_folder
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.cache.writer import CachePlan, find_damaged, plan_cache, write_cache
from sceneparse.data.checks.quick import quick_check
from sceneparse.data.dataset import UNSPLIT, Dataset, PairedFiles
from sceneparse.data.datasets.file_data import SPLITS, PublishedData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.header_index import check_image_sizes
from sceneparse.errors import InputError
from sceneparse.factory.data import find_data
from sceneparse.recording.events import Callback, Message, activity, ignore, tracked
from sceneparse.system.paths import expand_user
from sceneparse.system.user_cache import lock_folder


@dataclass(frozen=True)
class Cache:
    """A cache of decoded images.

    Attributes:
        root: The data set.
        folder: Folder of the cache.
        is_default: Whether runs on the data set use the cache without being configured to.
    """

    root: Path
    folder: Path
    is_default: bool

    def __str__(self) -> str:
        """Describe how a run reads from the cache."""
        if self.is_default:
            return f"{self.folder}: runs on {self.root} read from here (data.cache=auto)"
        return f"{self.folder}: runs with data.cache={self.folder} read from here"


def cache_data(
    data: str | Path,
    *,
    overrides: Sequence[str] = (),
    to: Path | None = None,
    splits: Sequence[str] = (),
    short_side: int | None = None,
    check: bool = False,
    callback: Callback = ignore,
) -> Cache:
    """Decode the images and masks that a cache lacks, and keep its valid entries.

    Args:
        data: The data set, or the config of a run on it.
        overrides: How to read it, as `data.field=value`.
        to: The folder of the cache; none for one in the user's cache folder.
        splits: Names of the splits; empty for all that exist.
        short_side: Pixels to which the shorter side of larger images is reduced; none to keep the
            size of the images.
        check: Also read the existing entries, and rewrite damaged ones.
        callback: Called with each event.

    Raises:
        InputError: If the data set has faults, or the cache does not fit on the disk.
    """
    found = find_data(expand_user(data), overrides)
    folder = to or default_cache_folder(found.root, short_side)
    opened = _open_splits(found, tuple(splits))
    checked = {"training" if name == UNSPLIT else name: files for name, files in opened.items()}
    for finding in quick_check(found, checked):
        callback(Message(f"warning: {finding}"))
    # Each thread holds one or two decoded images, so more threads would only use more memory.
    threads = min(os.cpu_count() or 1, 8)
    with lock_folder(folder, "this cache", "to"):
        plans = {
            name: plan_cache(
                files, check_image_sizes(files, found.root), found.root, folder, short_side
            )
            for name, files in opened.items()
        }
        if check:
            with activity(callback, "reading the cache"):
                plans = {name: _without_damaged(plan, threads) for name, plan in plans.items()}
        for name, plan in plans.items():
            callback(Message(_plan_summary(name, plan)))
        _check_disk_space(folder, list(plans.values()))
        for name, plan in plans.items():
            for _ in tracked(write_cache(plan, threads), callback, name, len(plan.missing)):
                pass
    return Cache(found.root, folder, is_default=to is None and short_side is None)


def cache_notes(datasets: Mapping[str, Dataset]) -> Iterator[str]:
    """Yield a note for each split whose cache does not hold all images in their current state."""
    for split, dataset in datasets.items():
        if isinstance(dataset, CachedDataset) and not dataset.is_complete:
            yield (
                f"{dataset.folder}: holds {dataset.cached_count} of {len(dataset)} {split} images "
                f"in their current state; runs read the others from their files; to renew it: "
                f"{dataset.renewal}"
            )


def _open_splits(
    data: PublishedData | FolderData, splits: tuple[str, ...]
) -> dict[str, PairedFiles]:
    """Open the requested splits, or all that exist."""
    found = data.splits()
    if isinstance(data, FolderData) and not found:
        if splits:
            raise InputError(
                f"{data.root}: has no splits, so all images are cached "
                "together; leave out the split",
                "split",
            )
        return {UNSPLIT: data.unsplit()}
    return {split: data.files(split) for split in splits or found or SPLITS[:1]}


def _without_damaged(plan: CachePlan, threads: int) -> CachePlan:
    return plan.without(find_damaged(plan, threads))


def _plan_summary(name: str, plan: CachePlan) -> str:
    total, missing = len(plan.files), len(plan.missing)
    if not missing:
        return f"{name}: {total} images, all cached"
    cached = f", {total - missing} already cached" if missing < total else ""
    return f"{name}: {total} images{cached}, {_size(plan.missing_bytes)} to write"


def _check_disk_space(folder: Path, plans: list[CachePlan]) -> None:
    needed = sum(plan.missing_bytes - plan.freed_bytes for plan in plans)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder}: found {_size(free)} of free disk space, expected at least {_size(needed)}; "
            "free some space, choose a folder on another disk, or reduce large images",
            "to",
            "short_side",
        )


def _size(count: int) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
