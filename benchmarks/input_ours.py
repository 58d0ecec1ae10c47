"""Our side of `input.py`: all that it asks of the package."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sceneparse import factory
from sceneparse.augmentation.colors import jitter_colors
from sceneparse.augmentation.parameters import Augmentation, ColorJitter, CropBox
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.transform import Transform
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.loader import Batch, Loader
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet
from sceneparse.system.device import keep_freed_memory
from sceneparse.tasks.cache import cache_data

# As many as `training.threads: auto` on a CPU.
THREADS = min(os.cpu_count() or 1, 2)
MOST = 256


@dataclass(frozen=True)
class Parameters:
    """What is done to one image, in this order.

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


def batches(
    root: Path, source: str, ranges: Mapping[str, float], size: int, batch_size: int
) -> Iterator[Batch]:
    """Yield augmented batches without end.

    Args:
        root: Folder of ADE20K.
        source: `files` or `cache`.
        ranges: What is random, by the names of the config.
        size: Side of the square.
        batch_size: Images in each.
    """
    # As training does.
    keep_freed_memory()
    data = Ade20kData(root=root, training_limit=MOST, cache="off")
    if source == "cache":
        folder = Path(tempfile.mkdtemp())
        cache_data(root, to=folder, splits=["training"])
        data = replace(data, cache=folder)
    dataset = factory.dataset(data, "training", to_learn=True)
    if source == "cache" and not isinstance(dataset, CachedDataset):
        raise RuntimeError("the cache was not used")
    transform = Transform(size, Augmentation(**ranges), 0, dataset.labels.ignore_index)
    return Loader(dataset, transform, 0, batch_size, THREADS).batches(0, 10**9)


def normalise(batch: Batch) -> Tensor:
    """Do to a batch what the segmenter does first: `(B, 3, H, W)` float32."""
    return _SEGMENTER.normalised(torch.from_numpy(batch.image).permute(0, 3, 1, 2))


_SEGMENTER = Segmenter(UNet(2, width=2))


def image(pixels: np.ndarray, chosen: Parameters, size: int) -> np.ndarray:
    """Make one image `(size, size, 3)`."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = chosen.box
    crop = CropBox(top / height, left / width, (bottom - top) / height, (right - left) / width)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    resized, _ = resample(pixels, mask, crop, size, flip=chosen.flip)
    colors = ColorJitter(chosen.brightness, chosen.contrast, chosen.saturation, chosen.hue)
    return jitter_colors(resized, colors)
