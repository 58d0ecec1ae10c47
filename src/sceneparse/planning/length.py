"""How many epochs fill a time, and how often a run stops to validate and to draw."""

import math
from collections.abc import Callable
from typing import NamedTuple

from sceneparse.planning.facts import SIDE_STEP, Costs, Speed
from sceneparse.planning.sizes import GROWTH, Sizes, mean_cost, too_short

# Most of the time that validations and drawings may take.
VALIDATION_SHARE, DRAWING_SHARE = 0.1, 0.05
MOST_DRAWINGS = 8
# A run of the next number of epochs may take so much longer than was asked for.
OVER = 1.08
# With fewer epochs a whole number of them hardly fills a time: the first size is chosen to do so.
FEW_EPOCHS = 8


class Parts(NamedTuple):
    """How long the parts of the run take that is planned.

    Attributes:
        step_s: A training step at the full size of its images.
        steps_per_epoch: Training steps.
        validation_s: A validation.
        costs: Everything else.
    """

    step_s: float
    steps_per_epoch: int
    validation_s: float
    costs: Costs


class Length(NamedTuple):
    """How long a run is.

    Attributes:
        epochs: How many.
        first_size: Side of the images in the first one, if they grow.
        validate_every: Epochs from one validation to the next.
        report_every: Epochs from one drawing to the next.
    """

    epochs: int
    first_size: int | None
    validate_every: int
    report_every: int

    @property
    def validations(self) -> int:
        """How many there are; the last epoch always has one."""
        return math.ceil(self.epochs / self.validate_every)

    @property
    def drawings(self) -> int:
        """How many there are beside the first and the last one."""
        return self.epochs // self.report_every


class Seconds(NamedTuple):
    """What a run takes.

    Attributes:
        begin: Until the first step.
        training: Steps.
        validation: All of them.
        recording: Tables, curves, checkpoints.
        drawing: Images of predictions, and the animation of them.
        end: After the last epoch.
    """

    begin: float
    training: float
    validation: float
    recording: float
    drawing: float
    end: float

    @property
    def total(self) -> float:
        """All together."""
        return sum(self)


def seconds_of(length: Length, size: int, parts: Parts, speed: Speed) -> Seconds:
    """Return what a run of a length takes."""
    cost = mean_cost(size, length.first_size, length.epochs, speed)
    drawings, costs = length.drawings, parts.costs
    return Seconds(
        begin=costs.begin_s,
        training=length.epochs * parts.steps_per_epoch * parts.step_s * cost,
        validation=length.validations * parts.validation_s,
        recording=length.epochs * costs.epoch_s,
        drawing=drawings * costs.drawing_s + _frames(drawings) * costs.frame_s,
        end=costs.end_s,
    )


def chosen_length(sizes: Sizes, parts: Parts, speed: Speed, seconds: float) -> Length:
    """Choose the length of a run whose time is nearest to what was asked for.

    Args:
        sizes: Of its images; if there are few epochs they may grow from another first size.
        parts: What was measured.
        speed: How the time of an image goes with its size.
        seconds: That were asked for.

    Raises:
        InputError: If there is no time for a single epoch.
    """

    def filled(first_size: int | None) -> Length:
        return _filled(sizes.size, first_size, parts, speed, seconds)

    def off(length: Length) -> float:
        return abs(seconds_of(length, sizes.size, parts, speed).total - seconds)

    chosen = filled(sizes.first_size)
    if chosen.epochs < FEW_EPOCHS:
        firsts = range(sizes.least, sizes.size, SIDE_STEP)
        others = [filled(None), *(filled(first) for first in firsts if first != sizes.first_size)]
        chosen = min(chosen, *others, key=off)
    least = seconds_of(chosen, sizes.size, parts, speed).total
    if least > OVER * seconds:
        raise too_short(seconds, least)
    return chosen


def _filled(
    size: int, first_size: int | None, parts: Parts, speed: Speed, seconds: float
) -> Length:
    """Find the number of epochs that comes nearest to a time without going far beyond it."""

    def of(epochs: int) -> Length:
        # Of few epochs growing ones would be none.
        first = first_size if round(GROWTH * epochs) > 1 else None
        return Length(epochs, first, *_stops(epochs, parts, seconds))

    def total(epochs: int) -> float:
        return seconds_of(of(epochs), size, parts, speed).total

    low = _last_within(seconds, total)
    over, under = total(low + 1) - seconds, seconds - total(low)
    return of(low + 1 if over < min(under, (OVER - 1) * seconds) else low)


def _last_within(seconds: float, total: Callable[[int], float]) -> int:
    """Return the largest number of epochs, at least 1, that takes no longer than some seconds."""
    low, high = 1, 2
    while total(high) <= seconds:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(middle) <= seconds else (low, middle)
    return low


def _stops(epochs: int, parts: Parts, seconds: float) -> tuple[int, int]:
    """Return from how many epochs to how many there is a validation, and a drawing."""
    affordable = int(VALIDATION_SHARE * seconds / parts.validation_s)
    validate_every = math.ceil(epochs / max(1, min(epochs, affordable)))
    costs = parts.costs
    drawings = min(MOST_DRAWINGS, epochs)
    while drawings and (
        drawings * costs.drawing_s + _frames(drawings) * costs.frame_s > DRAWING_SHARE * seconds
    ):
        drawings -= 1
    # Beyond the last epoch there is none but the first and the last one.
    return validate_every, math.ceil(epochs / drawings) if drawings else epochs + 1


def _frames(drawings: int) -> int:
    """Count the frames of all animations: each drawing makes one of all drawings so far."""
    return sum(1 + drawn for drawn in range(1, drawings + 1))
