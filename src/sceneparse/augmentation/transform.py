"""From a sample of any size to the square that training sees."""

from dataclasses import dataclass, replace

import numpy as np

from sceneparse.augmentation.change import Change, Cut, drawn
from sceneparse.augmentation.colors import changed_colors
from sceneparse.augmentation.degradation import degrade
from sceneparse.augmentation.geometry import Square, cut_out
from sceneparse.augmentation.mixing import Mixing
from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.data.dataset import Sample

# The loader's order of samples takes the other streams of random numbers.
_STREAM = 1


@dataclass(frozen=True)
class Transform:
    """Cut, scale and flip by one resampling; then what another sample adds, artefacts, colours.

    Colours are last, so that the order is the same where the device that trains changes them.

    Attributes:
        size: Height and width that come out.
        settings: What is random.
        seed: Seed of the run.
        ignore_index: Train id of void.
        leaves_colors: Whether colours are changed later, on the device that trains.
        mixing: What other samples add; none for nothing.
        size_schedule: The size in each epoch; none if it is always the same.
    """

    size: int
    settings: TransformSettings
    seed: int
    ignore_index: int
    leaves_colors: bool = False
    mixing: Mixing | None = None
    size_schedule: SizeSchedule | None = None

    def at(self, epoch: int) -> "Transform":
        """Return the transform of an epoch, whose images may be smaller."""
        schedule = self.size_schedule
        return replace(self, size=schedule.size_at(epoch)) if schedule else self

    def change(self, epoch: int, index: int) -> Change:
        """Draw what is done to one sample of one epoch."""
        random = np.random.default_rng([_STREAM, self.seed, epoch, index])
        change = drawn(self.settings, random)
        if self.mixing:
            change = change._replace(mix=self.mixing.drawn(random))
        stride = self.settings.mask_stride
        if stride > 1:
            # No pixel is in the middle of an even number of them: on average none is off.
            row, column = random.integers(2, size=2) + stride // 2 - 1
            change = change._replace(learned=(int(row), int(column)))
        return change

    def smallest(self, change: Change) -> tuple[int, int]:
        """Return the height and width below which a decoded image would lose detail."""
        return change.cut.needed(self.size)

    def partner(self, change: Change) -> tuple[int, tuple[int, int]] | None:
        """Return the index of the sample that is laid over, and its smallest height and width."""
        return change.mix and (change.mix.partner, change.mix.cut.needed(self.size))

    def __call__(self, sample: Sample, change: Change, partner: Sample | None = None) -> Sample:
        """Do it.

        Args:
            sample: What is changed.
            change: How.
            partner: What is laid over, where `partner(change)` asks for one.

        Returns:
            Image `(size, size, 3)` and mask `(size / mask_stride, size / mask_stride)`.
        """
        square = self.cut(sample, change.cut, flip=change.flip)
        if self.mixing and change.mix and partner:
            other = self.cut(partner, change.mix.cut, flip=change.mix.flip)
            square = self.mixing.mixed(square, other, change.mix)
        image = degrade(square.image, change.degradation)
        if not self.leaves_colors:
            image = changed_colors(image, change.colors)
        row, column = change.learned
        stride = self.settings.mask_stride
        mask = square.mask[row::stride, column::stride]
        return square._replace(image=image, mask=mask)

    def cut(self, sample: Sample, cut: Cut, *, flip: bool) -> Sample:
        """Cut a part out of a sample and scale it to the square."""
        square = Square(self.size, self.settings.class_share, self.ignore_index)
        return cut_out(sample, cut, square, flip=flip)
