"""Progressive resizing: training starts with small images, which take a fraction of the time."""

from dataclasses import dataclass

# Most networks need no padding for sides that are multiples of this.
STEP = 32


@dataclass(frozen=True)
class SizeSchedule:
    """The side of training images in each epoch (Howard, 2018, fast.ai DAWNBench).

    Attributes:
        start_size: Side in the first epoch.
        size: Side in the last growing epoch and all epochs after it.
        epochs: Number of growing epochs.
    """

    start_size: int
    size: int
    epochs: int

    @property
    def sizes(self) -> list[int]:
        """All sides that occur, in ascending order."""
        return sorted({self.size_at(epoch) for epoch in range(max(1, self.epochs))})

    def size_at(self, epoch: int) -> int:
        """Return the side in an epoch, which grows linearly in steps of 32 pixels."""
        if epoch >= self.epochs - 1:
            return self.size
        steps = (self.size - self.start_size) // STEP
        return self.start_size + STEP * (steps * epoch // (self.epochs - 1))
