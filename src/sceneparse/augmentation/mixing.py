"""Parts of another sample laid over one: which sample, which parts.

The other sample is drawn from the same random numbers as everything else, out of the whole data
set and not out of the batch: of that, each process holds a part only, and the data would depend on
the number of processes.
"""

from dataclasses import dataclass
from typing import assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from sceneparse.augmentation.change import (
    Box,
    Crop,
    HalfOfClasses,
    Mix,
    RareClasses,
    drawn,
)
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.data.dataset import Sample
from sceneparse.data.sampling import sample_at
from sceneparse.labels import Mask


@dataclass(frozen=True)
class Rarity:
    """Which classes are rare, and where they are.

    Attributes:
        is_rare: Of each train id up to `ignore_index`, `(ignore_index + 1,)`.
        holders: The samples that hold each of the rare classes, `(n,)` each, none empty.
    """

    is_rare: NDArray[np.bool_]
    holders: tuple[NDArray[np.intp], ...]


@dataclass(frozen=True)
class Mixing:
    """How often another sample is laid over one, and which.

    Attributes:
        samples: How many there are.
        ignore_index: Train id of void.
        settings: How often what is pasted, and how the other sample is cut.
        cumulative: Sums up to each sample of how often they are drawn, `(samples,)`; none for all
            alike.
        rarity: For `copy_paste`.
    """

    samples: int
    ignore_index: int
    settings: TransformSettings
    cumulative: NDArray[np.float64] | None = None
    rarity: Rarity | None = None

    def drawn(self, random: np.random.Generator) -> Mix | None:
        """Draw what is laid over a sample; for most nothing, and never two things."""
        settings = self.settings
        kind, kind_of_class, place = random.random(3).tolist()
        seed = int(random.integers(2**32))
        if kind < settings.cutmix:
            part, partner = Box(_half(random)), self._partner(place)
        elif kind < settings.cutmix + settings.classmix:
            part, partner = HalfOfClasses(seed), self._partner(place)
        elif kind < settings.cutmix + settings.classmix + settings.copy_paste and self.rarity:
            # All rare classes alike, and then all samples that hold it.
            holders = self.rarity.holders
            those = holders[sample_at(kind_of_class, len(holders), None)]
            part, partner = RareClasses(), int(those[sample_at(place, len(those), None)])
        else:
            return None
        change = drawn(settings, random)
        return Mix(partner, change.cut, change.flip, part)

    def _partner(self, place: float) -> int:
        return sample_at(place, self.samples, self.cumulative)

    def mixed(self, sample: Sample, other: Sample, mix: Mix) -> Sample:
        """Lay a part of another sample over one of the same size; it keeps its name."""
        part = self._part(other.mask, mix).view(np.uint8)
        # A third of the time of `np.where`, for an image.
        image = cv2.copyTo(other.image, part, sample.image.copy())
        mask = np.where(part, other.mask, sample.mask)
        return Sample(np.asarray(image, np.uint8), mask, sample.name)

    def _part(self, mask: Mask, mix: Mix) -> NDArray[np.bool_]:
        """Return which pixels of the other sample are laid over, `(H, W)`."""
        match mix.part:
            case Box(crop):
                return _inside(crop, mask)
            case HalfOfClasses(seed):
                chosen = half_of_classes(mask, self.ignore_index, seed)
            case RareClasses():
                chosen = np.zeros(0, np.bool_) if self.rarity is None else self.rarity.is_rare
            case _:
                assert_never(mix.part)
        return chosen[mask]


def half_of_classes(mask: Mask, ignore_index: int, seed: int) -> NDArray[np.bool_]:
    """Choose half of the classes of a mask, rounded up (Olsson et al., 2021, ClassMix).

    Returns:
        Whether each train id is chosen, `(ignore_index + 1,)`; void never is.
    """
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=ignore_index + 1)[:ignore_index])
    chosen = np.zeros(ignore_index + 1, np.bool_)
    order = np.random.default_rng(seed).permutation(present)
    chosen[order[: (len(present) + 1) // 2]] = True
    return chosen


def rarity(pixels: NDArray[np.int64], below: float, ignore_index: int) -> Rarity | None:
    """Find the classes that hold less than a share of all labelled pixels; none if none do.

    Args:
        pixels: Pixels of each class in each sample, `(N, C)`.
        below: The share, in 0..1.
        ignore_index: Train id of void.
    """
    total = pixels.sum(axis=0)
    rare = np.flatnonzero((total > 0) & (total < below * total.sum()))
    if not len(rare):
        return None
    is_rare = np.zeros(ignore_index + 1, np.bool_)
    is_rare[rare] = True
    return Rarity(is_rare, tuple(np.flatnonzero(pixels[:, class_id]) for class_id in rare))


def _half(random: np.random.Generator) -> Crop:
    """Draw a rectangle of half of the area (French et al., 2020, CutMix for segmentation)."""
    height = 0.5 ** random.random()
    width = 0.5 / height
    return Crop(random.uniform(0, 1 - height), random.uniform(0, 1 - width), height, width)


def _inside(crop: Crop, mask: Mask) -> NDArray[np.bool_]:
    height, width = mask.shape
    part = np.zeros(mask.shape, np.bool_)
    top, left = round(crop.top * height), round(crop.left * width)
    bottom, right = (
        round((crop.top + crop.height) * height),
        round((crop.left + crop.width) * width),
    )
    part[top:bottom, left:right] = True
    return part
