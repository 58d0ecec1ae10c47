"""From a sample of any size to the square that training sees."""

from dataclasses import dataclass, replace

import numpy as np

from sceneparse.augmentation.change import Augmentation, Change, drawn
from sceneparse.augmentation.colors import changed_colors
from sceneparse.augmentation.growth import Growth
from sceneparse.augmentation.resampling import resample
from sceneparse.data.dataset import Sample

# The loader's order of samples takes the other streams of random numbers.
_STREAM = 1


@dataclass(frozen=True)
class Transform:
    """Crop, scale and flip by one resampling; then colours.

    Attributes:
        size: Height and width that come out.
        augmentation: What is random.
        seed: Of the run.
        leaves_colors: Whether colours are changed later, on the device that trains.
        growth: How the size grows over the epochs; none if it does not.
    """

    size: int
    augmentation: Augmentation
    seed: int
    leaves_colors: bool = False
    growth: Growth | None = None

    def at(self, epoch: int) -> "Transform":
        """Return the transform of an epoch, whose pictures may be smaller."""
        return replace(self, size=self.growth.size_at(epoch)) if self.growth else self

    def change(self, epoch: int, index: int) -> Change:
        """Draw what is done to one sample of one epoch."""
        return drawn(self.augmentation, np.random.default_rng([_STREAM, self.seed, epoch, index]))

    def smallest(self, change: Change) -> tuple[int, int]:
        """Return the height and width below which a decoded picture would lose detail."""
        crop = change.crop
        return round(self.size / crop.height), round(self.size / crop.width)

    def __call__(self, sample: Sample, change: Change) -> Sample:
        """Do it."""
        image, mask = resample(sample.image, sample.mask, change.crop, self.size, flip=change.flip)
        if not self.leaves_colors:
            image = changed_colors(image, change.colors)
        return Sample(image, mask, sample.name)
