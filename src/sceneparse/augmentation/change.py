"""What is to be changed in a sample, drawn at random before its file is opened.

What is random is a function of (seed, epoch, sample index) alone, never of worker, rank or history:
any number of processes sees the same data, and a run resumes from its step. Nothing here depends on
the picture, so that its file may be decoded at no more than the scale that is needed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """Ranges of what training changes in a picture.

    Attributes:
        crop: Smallest share of the sides that is cut out, in 0..1; 1 keeps the whole picture.
        aspect: Largest factor by which the cut's ratio of sides differs from the picture's.
        flip: Probability of mirroring left and right.
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
        hue: Largest shift of hue, as a share of the colour circle, in 0..0.5.
    """

    crop: float = 1.0
    aspect: float = 1.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


class Crop(NamedTuple):
    """What is cut out, in shares of the picture's height and width, each in 0..1.

    Attributes:
        top: Where it begins.
        left: Where it begins.
        height: Of the cut.
        width: Of the cut.
    """

    top: float
    left: float
    height: float
    width: float


class Colors(NamedTuple):
    """A change of colours, applied in this order.

    Attributes:
        brightness: What values are multiplied by.
        contrast: What their distance from the mean grey is multiplied by.
        saturation: What their distance from their own grey is multiplied by.
        hue: What is added to the hue in HSV, as a share of the colour circle.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0


class Change(NamedTuple):
    """What is done to one sample.

    Attributes:
        crop: What is cut out.
        flip: Whether it is mirrored left and right.
        colors: How its colours change.
    """

    crop: Crop
    flip: bool
    colors: Colors


def drawn(augmentation: Augmentation, random: np.random.Generator) -> Change:
    """Draw a change at random."""
    scale = random.uniform(augmentation.crop, 1.0)
    stretch = augmentation.aspect ** random.uniform(-0.5, 0.5)
    height, width = min(1.0, scale * stretch), min(1.0, scale / stretch)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    flip = bool(random.random() < augmentation.flip)
    ranges = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    brightness, contrast, saturation = (random.uniform(1 - most, 1 + most) for most in ranges)
    hue = random.uniform(-augmentation.hue, augmentation.hue)
    colors = Colors(brightness, contrast, saturation, hue)
    return Change(Crop(top, left, height, width), flip, colors)
