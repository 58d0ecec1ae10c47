"""Our side of `input.py`: all that it asks of the package."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from sceneparse.data.transforms import Augmentation, Transform, resample

from sceneparse.data.ade20k import ade20k
from sceneparse.data.dataset import PairedFiles, Sample
from sceneparse.data.loader import Batch, Loader
from sceneparse.labels import Labels

# As many as `training.threads: auto` on a CPU.
THREADS = min(os.cpu_count() or 1, 2)
MOST = 256


@dataclass(frozen=True)
class Parameters:
    """What is done to one picture, in this order.

    Attributes:
        box: Left, top, right, bottom in whole pixels, which is cut out and scaled.
        flip: Whether it is mirrored.
        brightness: Factor.
        contrast: Factor.
        saturation: Factor.
        hue: Turn of the hue, in turns.
    """

    box: tuple[int, int, int, int]
    flip: bool
    brightness: float
    contrast: float
    saturation: float
    hue: float


@dataclass(frozen=True)
class Decoded:
    """Pictures and masks that have been read once, in memory."""

    files: PairedFiles

    @cached_property
    def samples(self) -> list[Sample]:
        """All of them."""
        return [self.files[index] for index in range(len(self.files))]

    @property
    def labels(self) -> Labels:
        """How to read the train ids."""
        return self.files.labels

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each sample."""
        return self.files.names

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        return self.samples[index]


def batches(
    root: Path, source: str, ranges: Mapping[str, float], size: int, batch_size: int
) -> Iterator[Batch]:
    """Yield augmented batches without end.

    Args:
        root: Folder of ADE20K.
        source: `files` or `cache`.
        ranges: What is random, by the names of the config.
        size: Side of the square.
        batch_size: Pictures in each.
    """
    files = ade20k(root, "training").limited(MOST)
    dataset = files if source == "files" else Decoded(files)
    if isinstance(dataset, Decoded):
        _ = dataset.samples
    known = {key: value for key, value in ranges.items() if key != "hue"}
    transform = Transform(size, Augmentation(**known), seed=0)
    return Loader(dataset, transform, 0, batch_size, THREADS).batches(0, 10**9)


def picture(pixels: np.ndarray, chosen: Parameters, size: int) -> tuple[np.ndarray, Parameters]:
    """Make one picture `(size, size, 3)`; return it with the parameters that were used."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    resized, _ = resample(pixels, mask, chosen.box, size, flip=chosen.flip)
    changed = Image.fromarray(resized)
    changed = ImageEnhance.Brightness(changed).enhance(chosen.brightness)
    changed = ImageEnhance.Contrast(changed).enhance(chosen.contrast)
    changed = ImageEnhance.Color(changed).enhance(chosen.saturation)
    return np.array(changed), replace(chosen, hue=0.0)
