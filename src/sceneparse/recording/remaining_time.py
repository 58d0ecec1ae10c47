"""How long a run still takes, by what its steps, validations and drawings took so far."""

from dataclasses import dataclass

# Steps after the first one, which is slow, before anything can be said.
MIN_STEPS = 5


@dataclass(frozen=True)
class Timetable:
    """What a run does when.

    Attributes:
        epochs: Of the whole run.
        steps_per_epoch: Training steps of each.
        validate_every: Epochs from one validation to the next; the last one is validated too.
        draw_every: Epochs from one drawing to the next; there is one more at the end.
    """

    epochs: int
    steps_per_epoch: int
    validate_every: int
    draw_every: int

    def validations_after(self, epoch: int) -> int:
        """Count the validations of the epochs after one."""
        extra = int(epoch < self.epochs and self.epochs % self.validate_every != 0)
        return max(0, self.epochs // self.validate_every - epoch // self.validate_every) + extra

    def drawings_after(self, epoch: int) -> int:
        """Count the drawings of the epochs after one, and that at the end."""
        return max(0, self.epochs // self.draw_every - epoch // self.draw_every) + 1


class RemainingTime:
    """Estimates the remaining time of a run from the part of it that this process has done.

    Validations and drawings take their mean for each that is still to come, and everything else,
    checkpoints included, its mean for each step: the epochs that are over count whole, however
    slow or fast the last few steps were. Times are those of one clock, in seconds.
    """

    def __init__(self, timetable: Timetable, epoch: int = 0) -> None:
        """Begin.

        Args:
            timetable: What the run does when.
            epoch: Epochs that were over before this process began.
        """
        self._schedule = timetable
        self._epoch = epoch
        self._first: tuple[int, float] | None = None
        self._validations: list[float] = []
        self._drawings: list[float] = []

    def step_ended(self, step: int, now: float) -> None:
        """Take note of a step of the run, counted from 1."""
        if self._first is None:
            self._first = step, now

    def epoch_ended(
        self, epoch: int, validation_s: float | None = None, drawing_s: float | None = None
    ) -> None:
        """Take note of an epoch, counted from 1, and of what its validation and drawing took."""
        self._epoch = epoch
        self._validations += [] if validation_s is None else [validation_s]
        self._drawings += [] if drawing_s is None else [drawing_s]

    def seconds(self, step: int, now: float) -> float | None:
        """Estimate the seconds that are left after a step; none in the first few steps."""
        if self._first is None or step - self._first[0] < MIN_STEPS:
            return None
        first_step, start = self._first
        stepping_s = now - start - sum(self._validations) - sum(self._drawings)
        steps_left = max(0, self._schedule.epochs * self._schedule.steps_per_epoch - step)
        return (
            stepping_s / (step - first_step) * steps_left
            + _mean(self._validations) * self._schedule.validations_after(self._epoch)
            + _mean(self._drawings) * self._schedule.drawings_after(self._epoch)
        )


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else 0.0
