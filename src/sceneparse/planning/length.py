"""The size of the images of a plan and its number of epochs: what fills a time."""

import math
from collections.abc import Callable
from typing import NamedTuple

from sceneparse.errors import InputError
from sceneparse.planning.estimate import (
    RESIZING_SHARE,
    ImageCosts,
    Length,
    RunCosts,
    RunTime,
    run_time,
)
from sceneparse.planning.facts import DataFacts
from sceneparse.training.memory import MIN_PART

# Images of sides that are multiples of this need no padding in most networks.
SIDE_STEP = 32
# Larger images gain little with networks of this size; in smaller ones, large objects have a few
# pixels of the feature map.
MAX_SIZE, MIN_SIZE = 512, 96
# Epochs that few images need, the number of images that many are content with, and the minimum.
EPOCHS, IMAGES_SEEN, MIN_EPOCHS = 20, 40_000, 4
# From this size and about this number of epochs on, progressive resizing saves time.
RESIZING_SIZE, RESIZING_EPOCHS = 192, 10
# Share of the time that validations and drawings may take, and the largest number of drawings.
VALIDATION_SHARE, DRAWING_SHARE, MAX_DRAWINGS = 0.1, 0.05, 8
# A run may take this much longer than asked for; it fills the time from this share on.
MAX_EXCESS, FULL = 1.08, 0.9
# With fewer epochs a whole number of them rarely fills a time; other start sizes are tried then.
FEW_EPOCHS = 8


class TooShortError(InputError):
    """The time is too short for one epoch.

    Attributes:
        given_hours: The time that was asked for.
        hours: A time that suffices.
    """

    def __init__(self, given_hours: float, hours: float) -> None:
        """Take the hours asked for, and those that suffice."""
        super().__init__(
            f"{given_hours:g} hours: too short for one epoch; give at least {hours:g} hours, or "
            "fewer images",
            "hours",
        )
        self.given_hours = given_hours
        self.hours = hours

    def __reduce__(self) -> tuple[type["TooShortError"], tuple[float, float]]:
        """Keep the hours when the error is pickled, as between processes."""
        return type(self), (self.given_hours, self.hours)


class Choice(NamedTuple):
    """A size of the training images, and the length of a run with it.

    Attributes:
        size: Side of the images in pixels.
        length: The length of the run.
    """

    size: int
    length: Length


def possible_sizes(short_side: int, min_size: int = MIN_SIZE) -> list[int]:
    """List the sides worth trying for images whose shorter side has so many pixels.

    Args:
        short_side: Pixels of that side; larger sizes gain nothing.
        min_size: Smallest side worth training at.
    """
    largest = min(MAX_SIZE, max(2 * SIDE_STEP, SIDE_STEP * math.ceil(short_side / SIDE_STEP)))
    return list(range(min(min_size, largest), largest + 1, SIDE_STEP))


def wanted_epochs(images: int) -> int:
    """Return how many epochs a data set needs: with more images, each of them teaches more."""
    return max(MIN_EPOCHS, min(EPOCHS, math.ceil(IMAGES_SEEN / images)))


def fitting_sizes(
    data: DataFacts, images: ImageCosts, memory_bytes: float, min_size: int = MIN_SIZE
) -> list[int]:
    """List the sides at which the smallest part of a batch fits into the memory.

    Raises:
        InputError: If there is none.
    """
    sizes = possible_sizes(data.short_side, min_size)
    fitting = [size for size in sizes if MIN_PART * images.at(size).memory_bytes <= memory_bytes]
    if not fitting:
        needed = MIN_PART * images.at(sizes[0]).memory_bytes
        raise InputError(
            f"memory: {MIN_PART} training images of {sizes[0]}×{sizes[0]} take "
            f"{needed / 2**20:.0f} MiB, and {max(0, memory_bytes) / 2**20:.0f} MiB are left for "
            "them; allow more memory, or use a machine that has more",
            "memory_gb",
        )
    return fitting


def choose_size(
    data: DataFacts,
    images: ImageCosts,
    costs: RunCosts,
    batch: int,
    seconds: float,
    memory_bytes: float,
    min_size: int = MIN_SIZE,
) -> Choice:
    """Choose the largest images that leave time for enough epochs, else for as many as possible.

    Args:
        data: Facts about the data.
        images: What an image costs at each size.
        costs: What everything else costs.
        batch: Images per step.
        seconds: Time for the run.
        memory_bytes: Memory for the images of a step.
        min_size: Smallest side worth training at.

    Raises:
        TooShortError: If the time is too short for one epoch.
        InputError: If there is too little memory.
    """
    wanted = wanted_epochs(data.training)
    sizes = fitting_sizes(data, images, memory_bytes, min_size)

    def costs_at(size: int) -> RunCosts:
        return costs.with_images(images.at(size), batch, data.training, data.validation)

    def total(choice: Choice) -> float:
        return run_time(choice.length, choice.size, costs_at(choice.size), images).total

    choices = [_longest(size, sizes[0], costs_at(size), images, seconds) for size in sizes]
    enough = [choice for choice in choices if choice.length.epochs >= wanted]
    if enough:
        return enough[-1]
    possible = [choice for choice in choices if total(choice) <= MAX_EXCESS * seconds]
    if not possible:
        raise _too_short(seconds, total(choices[0]))
    # Smaller images first: as many epochs as possible, and then as large as these allow.
    most = max(choice.length.epochs for choice in possible)
    near = [choice for choice in possible if choice.length.epochs >= 0.75 * most]
    full = [choice for choice in near if total(choice) >= FULL * seconds]
    return (full or near)[-1]


def choose_length(
    choice: Choice, costs: RunCosts, images: ImageCosts, seconds: float, min_size: int = MIN_SIZE
) -> tuple[Length, RunTime]:
    """Choose the length whose time is nearest to what was asked for, and return both.

    Args:
        choice: The size of the images, and about how long the run is.
        costs: What each part of this run costs, as measured.
        images: How the cost of an image changes with its size.
        seconds: Time for the run.
        min_size: Smallest side worth training at.

    Raises:
        TooShortError: If the time is too short for one epoch.
    """
    size = choice.size

    def filled(start_size: int | None) -> Length:
        return _fill(size, start_size, costs, images, seconds)

    def taken(length: Length) -> RunTime:
        return run_time(length, size, costs, images)

    chosen = filled(choice.length.start_size)
    if chosen.epochs < FEW_EPOCHS:
        others = [filled(None), *map(filled, range(min_size, size, SIDE_STEP))]
        chosen = min(chosen, *others, key=lambda length: abs(taken(length).total - seconds))
    if taken(chosen).total > MAX_EXCESS * seconds:
        raise _too_short(seconds, taken(chosen).total)
    return chosen, taken(chosen)


def _longest(
    size: int, min_size: int, costs: RunCosts, images: ImageCosts, seconds: float
) -> Choice:
    """Fill the time at one size, with progressive resizing where that gives more epochs."""
    plain = _fill(size, None, costs, images, seconds)
    start = max(min_size, SIDE_STEP * round(size / 2 / SIDE_STEP))
    if size < RESIZING_SIZE or start == size or plain.epochs < 0.8 * RESIZING_EPOCHS:
        return Choice(size, plain)
    resized = _fill(size, start, costs, images, seconds)
    return Choice(size, max(plain, resized, key=lambda length: length.epochs))


def _fill(
    size: int, start_size: int | None, costs: RunCosts, images: ImageCosts, seconds: float
) -> Length:
    """Find the number of epochs that comes nearest to a time without going far beyond it."""

    def of(epochs: int) -> Length:
        # With few epochs there would be no growing ones.
        start = start_size if round(RESIZING_SHARE * epochs) > 1 else None
        return Length(epochs, start, *_stops(epochs, costs, seconds))

    def total(epochs: int) -> float:
        return run_time(of(epochs), size, costs, images).total

    low = _last_within(seconds, total)
    over, under = total(low + 1) - seconds, seconds - total(low)
    return of(low + 1 if over < min(under, (MAX_EXCESS - 1) * seconds) else low)


def _last_within(seconds: float, total: Callable[[int], float]) -> int:
    """Return the largest number of epochs, at least 1, that takes no longer than some seconds."""
    low, high = 1, 2
    while total(high) <= seconds:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(middle) <= seconds else (low, middle)
    return low


def _stops(epochs: int, costs: RunCosts, seconds: float) -> tuple[int, int]:
    """Return the epochs from one validation to the next, and from one drawing to the next."""
    affordable = int(VALIDATION_SHARE * seconds / costs.validation_s)
    validate_every = math.ceil(epochs / max(1, min(epochs, affordable)))
    drawings = min(MAX_DRAWINGS, epochs)
    while drawings and costs.drawings_s(drawings) > DRAWING_SHARE * seconds:
        drawings -= 1
    # Beyond the last epoch, only the first and the last drawing remain.
    return validate_every, math.ceil(epochs / drawings) if drawings else epochs + 1


def _too_short(seconds: float, needed_s: float) -> TooShortError:
    # A little more, since the next measurement will not be the same.
    return TooShortError(seconds / 3600, math.ceil(1.1 * needed_s / 3.6) / 1000)
