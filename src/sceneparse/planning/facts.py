"""What a plan knows about the data."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from sceneparse import factory
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.checks.quick import quick_check
from sceneparse.data.class_statistics import count_class_pixels
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.header_index import check_image_sizes
from sceneparse.data.io.image_reading import RGB_CHANNELS
from sceneparse.data.settings import DataSettings
from sceneparse.factory.data import find_data
from sceneparse.losses.class_weights import median_frequency
from sceneparse.recording.events import Callback, Message, activity, ignore

# Number of masks whose classes are counted, spread over the training images, and of those timed.
COUNTED, TIMED = 1000, 8


@dataclass(frozen=True)
class DataFacts:
    """Facts about a data set.

    Attributes:
        config: The settings of the data set.
        training: Number of training images.
        validation: Number of validation images.
        height: Median height of the images in pixels.
        width: Median width of the images in pixels.
        class_names: Names of the classes.
        imbalance: Largest over smallest median-frequency weight of a class.
        count_s: Seconds that a run needs to count the classes of images not counted yet.
    """

    config: DataSettings
    training: int
    validation: int
    height: int
    width: int
    class_names: tuple[str, ...]
    imbalance: float
    count_s: float = 0.0

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.height, self.width)

    @property
    def has_colors(self) -> bool:
        """Whether images are RGB, or three bands, which are taken for colours."""
        bands = None if isinstance(self.config, SyntheticData) else self.config.bands
        return bands is None or len(bands) == RGB_CHANNELS

    @property
    def aspect_ratio(self) -> float:
        """The longer side over the shorter one."""
        return max(self.height, self.width) / self.short_side


def gather_facts(
    root: Path, overrides: Sequence[str] = (), callback: Callback = ignore
) -> DataFacts:
    """Read the headers of a data set's files and count the classes in some of its masks.

    Args:
        root: The folder of the data set.
        overrides: How to read it, as `data.field=value`.
        callback: Called with each event.

    Raises:
        InputError: If the data are not as they should be.
    """
    config = find_data(root, overrides)
    training, validation = (
        _files(factory.dataset(config, split)) for split in ("training", "validation")
    )
    with activity(callback, "reading the headers of all files"):
        sizes = check_image_sizes(training, root)
        check_image_sizes(validation, root)
    with activity(callback, "checking some images and masks"):
        findings = quick_check(config, {"training": training, "validation": validation})
    for finding in findings:
        callback(Message(f"warning: {finding}"))
    chosen = training.subsample(COUNTED)
    with activity(callback, "counting the pixels of each class"):
        weights = median_frequency(count_class_pixels(chosen, root))
    height, width = np.median(sizes, axis=0).astype(int).tolist()
    return DataFacts(
        config=config,
        training=len(training),
        validation=len(validation),
        height=height,
        width=width,
        class_names=training.labels.class_names,
        imbalance=float(weights.max() / weights.min()),
        count_s=_count_s(training, len(training) - len(chosen)),
    )


def _files(dataset: Dataset) -> PairedFiles:
    # The data sets that `find_data` finds lie in files, whether or not a cache holds their pixels.
    return cast("PairedFiles", dataset.files if isinstance(dataset, CachedDataset) else dataset)


def _count_s(files: PairedFiles, masks: int) -> float:
    """Estimate the seconds in which the classes of so many masks are counted."""
    if not masks:
        return 0.0
    start = time.perf_counter()
    for index in range(0, len(files), -(-len(files) // TIMED)):
        files.mask(index)
    each = (time.perf_counter() - start) / TIMED
    return masks * each / min(8, os.cpu_count() or 1)
