"""Estimate the remaining time of a run from its steps, validations and drawings so far."""

from dataclasses import dataclass

# Steps to measure before an estimate; the first step is slow and does not count.
MIN_STEPS = 5


@dataclass(frozen=True)
class Timetable:
    """When a run trains, validates and draws.

    Attributes:
        epochs: Epochs of the whole run.
        steps_per_epoch: Training steps of an epoch.
        validate_every: Epochs between validations; the last epoch is always validated.
        draw_every: Epochs between drawings; one more drawing follows at the end.
    """

    epochs: int
    steps_per_epoch: int
    validate_every: int
    draw_every: int

    def validations_after(self, epoch: int) -> int:
        """Count the validations after an epoch."""
        extra = int(epoch < self.epochs and self.epochs % self.validate_every != 0)
        return max(0, self.epochs // self.validate_every - epoch // self.validate_every) + extra

    def drawings_after(self, epoch: int) -> int:
        """Count the drawings after an epoch, including the one at the end."""
        return max(0, self.epochs // self.draw_every - epoch // self.draw_every) + 1


class RemainingTime:
    """Estimates the remaining time of a run from the part that this process has done.

    Each remaining validation and drawing costs the mean of the previous ones. All other work,
    including checkpoints, costs its mean per step since the start of the process, so that a few
    slow or fast steps hardly change the estimate. All times are seconds of one clock.
    """

    def __init__(self, timetable: Timetable, epoch: int = 0) -> None:
        """Start without measurements.

        Args:
            timetable: When the run trains, validates and draws.
            epoch: Number of epochs that ended before this process started.
        """
        self._schedule = timetable
        self._epoch = epoch
        self._first: tuple[int, float] | None = None
        self._validations: list[float] = []
        self._drawings: list[float] = []

    def step_ended(self, step: int, now: float) -> None:
        """Record the end of a step, counted from 1."""
        if self._first is None:
            self._first = step, now

    def epoch_ended(
        self, epoch: int, validation_s: float | None = None, drawing_s: float | None = None
    ) -> None:
        """Record the end of an epoch, counted from 1, with its validation and drawing times."""
        self._epoch = epoch
        self._validations += [] if validation_s is None else [validation_s]
        self._drawings += [] if drawing_s is None else [drawing_s]

    def seconds(self, step: int, now: float) -> float | None:
        """Estimate the remaining seconds after a step; none in the first few steps."""
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
