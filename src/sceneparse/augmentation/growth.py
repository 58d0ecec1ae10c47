"""Images that grow while a run goes on: the first epochs take a fraction of the time."""

from dataclasses import dataclass

# A side that most networks need not pad.
STEP = 32


@dataclass(frozen=True)
class Growth:
    """How the side of training images grows over the epochs (Howard, 2018, fast.ai DAWNBench).

    Attributes:
        first_size: Side in the first epoch.
        size: Side in the last of the growing epochs, and ever after.
        epochs: In which it grows.
    """

    first_size: int
    size: int
    epochs: int

    @property
    def sizes(self) -> list[int]:
        """All sides that there are, growing."""
        return sorted({self.size_at(epoch) for epoch in range(max(1, self.epochs))})

    def size_at(self, epoch: int) -> int:
        """Return the side in an epoch, counted from 0: linear in it, in steps of 32 pixels."""
        if epoch >= self.epochs - 1:
            return self.size
        steps = (self.size - self.first_size) // STEP
        return self.first_size + STEP * (steps * epoch // (self.epochs - 1))
