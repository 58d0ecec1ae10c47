"""Synthetic inputs of the benchmarks, drawn from a seed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.augmentation.parameters import ColorJitter
from sceneparse.data.dataset import Sample
from sceneparse.data.loader import Batch
from sceneparse.labels import Labels

BLOCK = 16
VOID_SHARE = 0.05


def labels(classes: int) -> Labels:
    """Make labels with a number of unnamed classes."""
    ids = tuple(range(classes))
    return Labels(tuple(str(index) for index in ids), ((0, 0, 0),) * classes, ids)


def mask(shape: tuple[int, ...], classes: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw train ids `(..., H, W)` in blocks of 16 × 16 pixels, of which 5 % are void (255)."""
    random = np.random.default_rng(seed)
    blocks = (*shape[:-2], -(-shape[-2] // BLOCK), -(-shape[-1] // BLOCK))
    ids = random.integers(0, classes, blocks, dtype=np.uint8)
    ids[random.random(blocks) < VOID_SHARE] = 255
    pixels = ids.repeat(BLOCK, axis=-2).repeat(BLOCK, axis=-1)
    return np.ascontiguousarray(pixels[..., : shape[-2], : shape[-1]])


def batch(images: int, height: int, width: int, classes: int, seed: int = 0) -> Batch:
    """Draw a batch of noise with masks."""
    image = np.random.default_rng(seed).integers(0, 256, (images, height, width, 3), np.uint8)
    names = tuple(str(index) for index in range(images))
    unchanged = np.tile(np.array(ColorJitter(), np.float32), (images, 1))
    return Batch(image, mask((images, height, width), classes, seed), unchanged, names)


@dataclass(frozen=True)
class NoSamples:
    """A data set that has labels, but whose samples cannot be read."""

    labels: Labels
    names: tuple[str, ...] = ("none",)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Raise an error."""
        raise NotImplementedError

    def reduced(self, index: int, height: int, width: int) -> Sample:
        """Raise an error."""
        raise NotImplementedError


def image(height: int, width: int, seed: int = 0) -> Image.Image:
    """Draw smooth colours with fine noise, which compress about as well as photographs."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(2, height // 32), max(2, width // 32), 3), np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.normal(0, 4, (height, width, 3))
    return Image.fromarray((np.asarray(smooth) + noise).clip(0, 255).astype(np.uint8))


def write_images(root: Path, count: int, height: int, width: int) -> None:
    """Write JPEGs and masks in the layout of ADE20K."""
    images, annotations = (root / kind / "training" for kind in ("images", "annotations"))
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    for index in range(count):
        image(height, width, index).save(images / f"{index:04d}.jpg", quality=90)
        # Raw ids are train ids plus 1; 255 wraps to 0, which is void.
        raw = mask((height, width), 150, index) + np.uint8(1)
        Image.fromarray(raw).save(annotations / f"{index:04d}.png")
