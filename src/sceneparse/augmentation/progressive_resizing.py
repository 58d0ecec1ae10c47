"""Progressive resizing: small images in the first epochs take a fraction of the time."""

from dataclasses import dataclass

# Images of sides that are multiples of this need no padding in most networks.
STEP = 32


@dataclass(frozen=True)
class SizeSchedule:
    """The side of training images in each epoch (Howard, 2018, fast.ai DAWNBench).

    Attributes:
        start_size: Side in the first epoch.
        size: Side in the last of the growing epochs, and from then on.
        epochs: Number of growing epochs.
    """

    start_size: int
    size: int
    epochs: int

    @property
    def sizes(self) -> list[int]:
        """All sides, in ascending order."""
        return sorted({self.size_at(epoch) for epoch in range(max(1, self.epochs))})

    def size_at(self, epoch: int) -> int:
        """Return the side in an epoch, counted from 0: linear in it, in steps of 32 pixels."""
        if epoch >= self.epochs - 1:
            return self.size
        steps = (self.size - self.start_size) // STEP
        return self.start_size + STEP * (steps * epoch // (self.epochs - 1))
