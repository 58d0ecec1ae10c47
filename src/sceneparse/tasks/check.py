"""Check a data set: count its classes and sizes, and find what would be learned wrongly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.checks.check_facts import Finding, SampleFacts, gather
from sceneparse.data.checks.quick import data_facts, quick_check
from sceneparse.data.checks.rules import findings_of
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.file_data import SPLITS, FileData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.header_index import check_image_sizes
from sceneparse.data.settings import DataSettings
from sceneparse.factory.data import find_data
from sceneparse.labels import Labels
from sceneparse.recording.events import Callback, Message, ignore, tracked
from sceneparse.system.paths import expand_user


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
class CheckReport:
    """The contents of a data set, and what is wrong with it.

    Attributes:
        root: Folder of the data set.
        labels: Classes of the data set.
        splits: Counts of each split.
        findings: What was found, errors first.
    """

    root: Path
    labels: Labels
    splits: list[SplitCounts]
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """Findings with which a run would learn or score something wrong."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """Findings that only you can judge."""
        return [finding for finding in self.findings if finding.severity == "warning"]

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
        counts = [
            f"{len(found)} {name}{'s' * (len(found) > 1)}"
            for name, found in (("error", self.errors), ("warning", self.warnings))
            if found
        ]
        lines.append(", ".join(counts) or "no problems found")
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return {
            "root": str(self.root),
            "splits": [
                {
                    "name": split.name,
                    "images": len(split.sizes),
                    "void_pixels": split.void,
                    "class_pixels": split.pixels.tolist(),
                    "class_images": split.images.tolist(),
                }
                for split in self.splits
            ],
            "classes": list(self.labels.class_names),
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "text": finding.text,
                    "files": list(finding.files),
                }
                for finding in self.findings
            ],
        }


def check(
    data: str | Path, *, overrides: Sequence[str] = (), callback: Callback = ignore
) -> CheckReport:
    """Read every pixel of a data set, and report what is wrong with it.

    Args:
        data: A published data set, a folder of your own, or the config of a run on it.
        overrides: How to read it, as `data.field=value`.
        callback: Called with each event.

    Raises:
        InputError: If the path holds no data set, or images and masks do not pair.

    Example:
        >>> report = sceneparse.check("mydata")  # doctest: +SKIP
        >>> [finding.kind for finding in report.findings]  # doctest: +SKIP
        ['small_range']
    """
    found = find_data(expand_user(data), overrides)
    splits = _open(found)
    samples: dict[str, list[SampleFacts]] = {}
    for name, files in splits.items():
        facts = gather(files, found.root)
        samples[name] = list(tracked(facts, callback, name, len(files)))
    facts = data_facts(found, splits, samples, is_complete=True)
    counts = [_counts(name, found, facts.labels) for name, found in samples.items()]
    return CheckReport(found.root, facts.labels, counts, findings_of(facts))


def _open(data: FileData) -> dict[str, PairedFiles]:
    # A folder without splits holds out a share of its images.
    others = SPLITS if isinstance(data, FolderData) else SPLITS[:1]
    return {name: data.files(name) for name in data.splits() or others}


def _counts(name: str, samples: list[SampleFacts], labels: Labels) -> SplitCounts:
    usable = [sample for sample in samples if not sample.error]
    pixels, images = np.zeros((2, labels.num_classes), np.int64)
    void = 0
    train_id = {raw: index for index, raw in enumerate(labels.raw_ids)}
    for sample in usable:
        for raw, count in sample.ids.items():
            if raw in train_id:
                pixels[train_id[raw]] += count
                images[train_id[raw]] += 1
            else:
                void += count
    sizes = np.array([sample.size for sample in usable], np.int64).reshape(-1, 2)
    return SplitCounts(name, sizes, pixels, images, void)


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


def check_files(splits: Mapping[str, Dataset], data: DataSettings, callback: Callback) -> None:
    """Check the header of each file that is new or changed, and some samples of each split.

    Raises:
        InputError: If files do not fit together, or something wrong would be learned or scored.
    """
    if isinstance(data, SyntheticData):
        return
    files = {
        name: dataset.files if isinstance(dataset, CachedDataset) else dataset
        for name, dataset in splits.items()
    }
    paired = {name: found for name, found in files.items() if isinstance(found, PairedFiles)}
    for found in paired.values():
        check_image_sizes(found, data.root)
    # `data cache` has checked what it decoded, and a run opens none of these files.
    unread = {
        name: found
        for name, found in paired.items()
        if not (isinstance(cached := splits[name], CachedDataset) and cached.is_complete)
    }
    if unread:
        for finding in quick_check(data, unread):
            callback(Message(f"warning: {finding}"))
