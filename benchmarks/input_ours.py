"""Our side of `input.py`."""

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
from sceneparse.augmentation.parameters import ColorJitter, CropBox
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.loader import Batch, Loader
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet
from sceneparse.system.device import keep_freed_memory
from sceneparse.tasks.cache import cache_data

# The same number as `training.threads: auto` on a CPU.
THREADS = min(os.cpu_count() or 1, 2)
MAX_IMAGES = 256


@dataclass(frozen=True)
class Parameters:
    """Parameters of the operations on one image, in their order.

    Attributes:
        box: Left, top, right, bottom of the crop in pixels.
        flip: Flip the image horizontally.
        brightness: Factor on the brightness.
        contrast: Factor on the contrast.
        saturation: Factor on the saturation.
        hue: Shift of the hue, as a share of the colour circle.
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
    """Yield an endless sequence of augmented batches.

    Args:
        root: Folder of ADE20K.
        source: `files` or `cache`.
        ranges: Ranges of the augmentation, by names of the config.
        size: Side of the images.
        batch_size: Images per batch.
    """
    # Training calls it too.
    keep_freed_memory()
    data = Ade20kData(root=root, training_limit=MAX_IMAGES, cache="off")
    if source == "cache":
        folder = Path(tempfile.mkdtemp())
        cache_data(root, to=folder, splits=["training"])
        data = replace(data, cache=folder)
    dataset = factory.dataset(data, "training", to_learn=True)
    if source == "cache" and not isinstance(dataset, CachedDataset):
        raise RuntimeError(f"{root}: found no cache, expected one; cache_data wrote none")
    settings = TransformSettings(size=size, **ranges)
    transform = Transform(size, settings, 0, dataset.labels.ignore_index)
    return Loader(dataset, transform, 0, batch_size, THREADS).batches(0, 10**9)


def normalise(batch: Batch) -> Tensor:
    """Normalise a batch as the segmenter does: `(B, 3, H, W)` float32."""
    return _SEGMENTER.normalise(torch.from_numpy(batch.image).permute(0, 3, 1, 2))


_SEGMENTER = Segmenter(UNet(2, width=2))


def image(pixels: np.ndarray, parameters: Parameters, size: int) -> np.ndarray:
    """Augment one image; return `(size, size, 3)`."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = parameters.box
    crop = CropBox(top / height, left / width, (bottom - top) / height, (right - left) / width)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    resized, _ = resample(pixels, mask, crop, size, flip=parameters.flip)
    colors = ColorJitter(
        parameters.brightness, parameters.contrast, parameters.saturation, parameters.hue
    )
    return jitter_colors(resized, colors)
