"""From a sample of any size to the square that training sees, by one resampling.

What is random is a function of (seed, epoch, sample index) alone, never of worker, rank or history:
any number of processes sees the same data, and a run resumes from its step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from sceneparse.data.dataset import Sample
from sceneparse.labels import Mask

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Augmentation:
    """What training changes in a picture at random.

    Attributes:
        crop: Smallest share of the sides that is cut out, in 0..1; 1 keeps the whole picture.
        aspect: Largest factor by which the cut's ratio of sides differs from the picture's.
        flip: Probability of mirroring left and right.
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
    """

    crop: float = 1.0
    aspect: float = 1.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0


@dataclass(frozen=True)
class Transform:
    """Crop, scale and flip by one resampling; then colours.

    Attributes:
        size: Height and width that come out.
        augmentation: What is random.
        seed: Of the run.
    """

    size: int
    augmentation: Augmentation
    seed: int

    def __call__(self, sample: Sample, epoch: int, index: int) -> Sample:
        """Transform one sample of one epoch."""
        random = np.random.default_rng([self.seed, epoch, index])
        box = _random_box(sample.image.shape[:2], self.augmentation, random)
        flip = bool(random.random() < self.augmentation.flip)
        image, mask = resample(sample.image, sample.mask, box, self.size, flip=flip)
        return Sample(_jittered(image, self.augmentation, random), mask, sample.name)


def resample(
    image: NDArray[np.uint8], mask: Mask, box: Box, size: int, *, flip: bool
) -> tuple[NDArray[np.uint8], Mask]:
    """Cut a box out of a picture and its mask and scale it to a square.

    The picture is resampled bilinearly with antialiasing, the mask by nearest neighbour.

    Args:
        image: RGB `(H, W, 3)`.
        mask: Train ids `(H, W)`.
        box: Left, top, right, bottom in pixels, fractions allowed.
        size: Side of the square.
        flip: Whether to mirror left and right afterwards.
    """
    shape = (size, size)
    picture = Image.fromarray(image).resize(
        shape, Image.Resampling.BILINEAR, box=box, reducing_gap=3.0
    )
    labels = Image.fromarray(mask).resize(shape, Image.Resampling.NEAREST, box=box)
    pixels, ids = np.array(picture), np.array(labels)
    if flip:
        pixels, ids = np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(ids[:, ::-1])
    return pixels, ids


def _random_box(
    shape: tuple[int, ...], augmentation: Augmentation, random: np.random.Generator
) -> Box:
    height, width = shape[0], shape[1]
    scale = random.uniform(augmentation.crop, 1.0)
    stretch = augmentation.aspect ** random.uniform(-0.5, 0.5)
    cut_height = min(1.0, scale * stretch) * height
    cut_width = min(1.0, scale / stretch) * width
    left = random.uniform(0, width - cut_width)
    top = random.uniform(0, height - cut_height)
    return left, top, left + cut_width, top + cut_height


def _jittered(
    image: NDArray[np.uint8], augmentation: Augmentation, random: np.random.Generator
) -> NDArray[np.uint8]:
    changes = (
        (ImageEnhance.Brightness, augmentation.brightness),
        (ImageEnhance.Contrast, augmentation.contrast),
        (ImageEnhance.Color, augmentation.saturation),
    )
    if not any(extent for _, extent in changes):
        return image
    picture = Image.fromarray(image)
    for enhance, extent in changes:
        picture = enhance(picture).enhance(random.uniform(1 - extent, 1 + extent))
    return np.array(picture)
