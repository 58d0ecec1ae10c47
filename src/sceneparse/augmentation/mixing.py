"""Mixing of samples: CutMix, ClassMix and copy-paste.

The second sample is drawn from the whole data set, not from the batch: each process holds only a
part of the batch, so that the data would depend on the number of processes.
"""

from dataclasses import dataclass
from typing import assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from sceneparse.augmentation.parameters import (
    CropBox,
    MixParameters,
    PasteHalfOfClasses,
    PasteRareClasses,
    PasteRectangle,
    draw_parameters,
)
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.data.dataset import Sample
from sceneparse.data.sampling import weighted_index
from sceneparse.labels import Mask


@dataclass(frozen=True)
class RareClassTable:
    """The rare classes, and the samples that contain them.

    Attributes:
        is_rare: Whether each train id up to `ignore_index` is rare, `(ignore_index + 1,)`.
        sample_indices: Indices of the samples that contain each rare class, `(n,)` with n > 0.
    """

    is_rare: NDArray[np.bool_]
    sample_indices: tuple[NDArray[np.intp], ...]


@dataclass(frozen=True)
class SampleMixer:
    """Mixing of a random second sample into a sample.

    Attributes:
        samples: Number of samples in the data set.
        ignore_index: Train id of unlabelled pixels.
        settings: Probabilities of the kinds of mixing, and crop settings of the second sample.
        cumulative: Cumulative sums of the repeat factors, `(samples,)`; none for equal factors.
        rare_classes: The rare classes, for `copy_paste`.
    """

    samples: int
    ignore_index: int
    settings: TransformSettings
    cumulative: NDArray[np.float64] | None = None
    rare_classes: RareClassTable | None = None

    def draw(self, random: np.random.Generator) -> MixParameters | None:
        """Draw at most one kind of mixing for a sample; none for no mixing."""
        settings = self.settings
        kind, class_position, position = random.random(3).tolist()
        seed = int(random.integers(2**32))
        if kind < settings.cutmix:
            region, partner = PasteRectangle(_draw_half_box(random)), self._partner(position)
        elif kind < settings.cutmix + settings.classmix:
            region, partner = PasteHalfOfClasses(seed), self._partner(position)
        elif kind < settings.cutmix + settings.classmix + settings.copy_paste and self.rare_classes:
            # Draw a rare class uniformly, and then a sample that contains it.
            sample_indices = self.rare_classes.sample_indices
            indices = sample_indices[weighted_index(class_position, len(sample_indices), None)]
            region, partner = (
                PasteRareClasses(),
                int(indices[weighted_index(position, len(indices), None)]),
            )
        else:
            return None
        parameters = draw_parameters(settings, random)
        return MixParameters(partner, parameters.crop, parameters.flip, region)

    def _partner(self, position: float) -> int:
        return weighted_index(position, self.samples, self.cumulative)

    def paste(self, sample: Sample, other: Sample, mix: MixParameters) -> Sample:
        """Paste a region of another sample of the same size; the result keeps the name."""
        region = self._paste_mask(other.mask, mix).view(np.uint8)
        # `copyTo` takes a third of the time of `np.where` for an image.
        image = cv2.copyTo(other.image, region, sample.image.copy()).reshape(sample.image.shape)
        mask = np.where(region, other.mask, sample.mask)
        return Sample(np.asarray(image, np.uint8), mask, sample.name)

    def _paste_mask(self, mask: Mask, mix: MixParameters) -> NDArray[np.bool_]:
        """Return the mask `(H, W)` of the pixels of the other sample to paste."""
        match mix.region:
            case PasteRectangle(box):
                return _box_mask(box, mask)
            case PasteHalfOfClasses(seed):
                chosen = half_of_classes(mask, self.ignore_index, seed)
            case PasteRareClasses():
                chosen = (
                    np.zeros(0, np.bool_)
                    if self.rare_classes is None
                    else self.rare_classes.is_rare
                )
            case _:
                assert_never(mix.region)
        return chosen[mask]


def half_of_classes(mask: Mask, ignore_index: int, seed: int) -> NDArray[np.bool_]:
    """Choose half of the classes of a mask at random, rounded up (Olsson et al., 2021, ClassMix).

    Returns:
        Whether each train id is chosen, `(ignore_index + 1,)`; `ignore_index` never is.
    """
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=ignore_index + 1)[:ignore_index])
    chosen = np.zeros(ignore_index + 1, np.bool_)
    order = np.random.default_rng(seed).permutation(present)
    chosen[order[: (len(present) + 1) // 2]] = True
    return chosen


def find_rare_classes(
    pixels: NDArray[np.int64], below: float, ignore_index: int
) -> RareClassTable | None:
    """Find the classes with less than a share of all labelled pixels; none if there are none.

    Args:
        pixels: Number of pixels of each class in each sample, `(N, C)`.
        below: Share of the labelled pixels in 0..1 below which a class is rare.
        ignore_index: Train id of unlabelled pixels.
    """
    total = pixels.sum(axis=0)
    rare = np.flatnonzero((total > 0) & (total < below * total.sum()))
    if not len(rare):
        return None
    is_rare = np.zeros(ignore_index + 1, np.bool_)
    is_rare[rare] = True
    return RareClassTable(is_rare, tuple(np.flatnonzero(pixels[:, class_id]) for class_id in rare))


def _draw_half_box(random: np.random.Generator) -> CropBox:
    """Draw a rectangle of half the area (French et al., 2020, CutMix for segmentation)."""
    height = 0.5 ** random.random()
    width = 0.5 / height
    return CropBox(random.uniform(0, 1 - height), random.uniform(0, 1 - width), height, width)


def _box_mask(box: CropBox, mask: Mask) -> NDArray[np.bool_]:
    height, width = mask.shape
    region = np.zeros(mask.shape, np.bool_)
    top, left = round(box.top * height), round(box.left * width)
    bottom, right = (
        round((box.top + box.height) * height),
        round((box.left + box.width) * width),
    )
    region[top:bottom, left:right] = True
    return region
