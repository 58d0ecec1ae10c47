"""How large images should be, and how often they can be gone through."""

import math
from typing import NamedTuple

from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.errors import InputError
from sceneparse.planning.facts import SIDE_STEP, Costs, DataFacts, Speed

# A part of a batch has at least so many images, over which it is normalised.
LEAST_PART = 2

# Beyond, networks of this size gain little, and images of photos hold little more.
LARGEST = 512
# Below, even large things in a photo are a few cells of the decoder.
SMALLEST = 96
# What few images want, and what many are content with: so many passes, or so many images seen.
PASSES, SEEN, FEWEST_PASSES = 20, 40_000, 4
# From here on the first epochs are done on smaller images.
GROWS_FROM, GROWS_EPOCHS = 192, 10
GROWTH = 0.5
# What is left for training beside validation.
TRAINING_SHARE = 0.9
# A plan that fills so much of its time is near enough.
FULL = 0.9


class Sizes(NamedTuple):
    """How large the training images are.

    Attributes:
        size: Their side in the end.
        first_size: Their side in the first epoch, if they grow.
        epochs: About how many the time is enough for.
        wanted: How many there should be.
        least: The smallest side worth training at.
    """

    size: int
    first_size: int | None
    epochs: int
    wanted: int
    least: int = SMALLEST


def possible_sizes(short_side: int, least: int = SMALLEST) -> list[int]:
    """List the sides worth trying for images whose shorter side has so many pixels.

    Args:
        short_side: Pixels of that side; none beyond it is worth trying.
        least: Pixels below which none is.
    """
    largest = min(LARGEST, max(2 * SIDE_STEP, SIDE_STEP * math.ceil(short_side / SIDE_STEP)))
    return list(range(min(least, largest), largest + 1, SIDE_STEP))


def wanted_epochs(images: int) -> int:
    """Return how many passes a data set wants: many images teach more in each of them."""
    return max(FEWEST_PASSES, min(PASSES, math.ceil(SEEN / images)))


def mean_cost(size: int, first_size: int | None, epochs: int, speed: Speed) -> float:
    """Return what a training image takes on average over the epochs, against the last one's."""
    if first_size is None:
        return 1.0
    growing = SizeSchedule(first_size, size, round(GROWTH * epochs))
    seconds = [speed.at(growing.size_at(epoch)).image_s for epoch in range(growing.epochs)]
    return (sum(seconds) / speed.at(size).image_s + epochs - len(seconds)) / epochs


def fitting_sizes(
    data: DataFacts, speed: Speed, memory_bytes: float, least: int = SMALLEST
) -> list[int]:
    """List the sides of which the smallest part of a batch fits into the memory.

    Raises:
        InputError: If there is none.
    """
    sizes = possible_sizes(data.short_side, least)
    fitting = [size for size in sizes if LEAST_PART * speed.at(size).image_bytes <= memory_bytes]
    if not fitting:
        needed = LEAST_PART * speed.at(sizes[0]).image_bytes
        raise InputError(
            f"memory: {LEAST_PART} training images of {sizes[0]}×{sizes[0]} take "
            f"{needed / 2**20:.0f} MiB, and {max(0, memory_bytes) / 2**20:.0f} MiB are left for "
            "them; allow more memory, or use a machine that has more",
            "memory_gb",
        )
    return fitting


def chosen_sizes(
    data: DataFacts,
    speed: Speed,
    costs: Costs,
    seconds: float,
    memory_bytes: float,
    least: int = SMALLEST,
) -> Sizes:
    """Choose the largest images that leave time for enough passes, else the fullest plan.

    Args:
        data: The images.
        speed: What they take.
        costs: What else a run takes.
        seconds: That it may take.
        memory_bytes: For what grows with the images of a step.
        least: Side below which training is worth nothing.

    Raises:
        InputError: If there is no time for a single pass, or no memory.
    """
    wanted = wanted_epochs(data.training)
    sizes = fitting_sizes(data, speed, memory_bytes, least)
    choices = [_filled(data, size, sizes[0], speed, costs, seconds) for size in sizes]
    enough = [choice for choice in choices if choice.epochs >= wanted]
    if enough:
        return enough[-1]
    whole = [choice for choice in choices if choice.epochs >= 1]
    if not whole:
        raise too_short(seconds, _run_s(data, sizes[0], speed, costs, epochs=1))
    # Smaller images first: as many passes as there can be, and then as large as these allow.
    most = max(choice.epochs for choice in whole)
    near = [choice for choice in whole if choice.epochs >= 0.75 * most]
    full = [
        choice
        for choice in near
        if _run_s(data, choice.size, speed, costs, choice.epochs) >= FULL * seconds
    ]
    return (full or near)[-1]


def too_short(seconds: float, least_s: float) -> InputError:
    """Say that the time is not enough, and what would be."""
    # A little more, since the next measurement will not be the same.
    least = math.ceil(1.1 * least_s / 3.6) / 1000
    return InputError(
        f"{seconds / 3600:g} hours: too short for one epoch; give at least {least:g} hours, or "
        "fewer images",
        "hours",
    )


def _filled(
    data: DataFacts, size: int, least: int, speed: Speed, costs: Costs, seconds: float
) -> Sizes:
    """Fill the time with epochs at one size, and with more of them where images can grow."""
    epochs, wanted = _epochs(data, size, speed, costs, seconds), wanted_epochs(data.training)
    first = max(least, SIDE_STEP * round(size / 2 / SIDE_STEP))
    if size < GROWS_FROM or first == size or epochs < 0.8 * GROWS_EPOCHS:
        return Sizes(size, None, epochs, wanted, least)
    more = max(epochs, int(epochs / mean_cost(size, first, epochs, speed)))
    return Sizes(size, first, more, wanted, least)


def _epochs(data: DataFacts, size: int, speed: Speed, costs: Costs, seconds: float) -> int:
    one = _run_s(data, size, speed, costs, epochs=1)
    if one > seconds:
        return 0
    epoch_s = data.training * speed.at(size).image_s / TRAINING_SHARE + costs.epoch_s
    return 1 + int((seconds - one) / epoch_s)


def _run_s(data: DataFacts, size: int, speed: Speed, costs: Costs, epochs: int) -> float:
    """Return about what a run takes whose images do not grow, with its last validation."""
    at = speed.at(size)
    train_s = epochs * data.training * at.image_s
    validation_s = max(data.validation * at.validation_image_s, train_s * (1 / TRAINING_SHARE - 1))
    if epochs == 1:
        validation_s = data.validation * at.validation_image_s
    return costs.begin_s + train_s + validation_s + epochs * costs.epoch_s + costs.end_s
