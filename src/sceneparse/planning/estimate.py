"""How long a run takes on a machine: one estimate, from the cost of each of its parts."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sceneparse.augmentation.progressive_resizing import SizeSchedule

# Share of the epochs after which images of a plan have reached their full size.
RESIZING_SHARE = 0.5


class ImageCost(NamedTuple):
    """What one image costs at one size.

    Attributes:
        train_s: Seconds of a training image.
        validation_s: Seconds of a validation image.
        memory_bytes: Memory that a training image takes.
    """

    train_s: float
    validation_s: float
    memory_bytes: float


class ImageCosts(NamedTuple):
    """What one image costs at any size: a constant, and a part proportional to its pixels.

    Attributes:
        small: Side of the smaller square that was measured.
        at_small: Its costs.
        large: Side of the larger square; it may be the same one.
        at_large: Its costs.
    """

    small: int
    at_small: ImageCost
    large: int
    at_large: ImageCost

    def at(self, size: int) -> ImageCost:
        """Return the costs at a size, by a straight line over the number of pixels."""
        if self.small == self.large:
            return ImageCost(*((size / self.small) ** 2 * cost for cost in self.at_small))
        share = (size**2 - self.small**2) / (self.large**2 - self.small**2)
        pairs = zip(self.at_small, self.at_large, strict=True)
        # A machine that was busy for a moment must not make larger images free.
        return ImageCost(*(max(low + share * (high - low), 0.1 * low) for low, high in pairs))


class RunCosts(NamedTuple):
    """Seconds of each part of a run, images at their full size.

    Attributes:
        begin_s: Until the first step: program, data, first drawing.
        step_s: A training step.
        steps_per_epoch: Training steps of an epoch.
        validation_s: A validation.
        epoch_s: After each epoch: tables, curves, weights, checkpoint.
        drawing_s: A drawing of predictions.
        frame_s: A frame of an animation; each drawing makes an animation of all drawings so far.
        end_s: After the last epoch: the kept weights are read and drawn.
    """

    begin_s: float
    step_s: float
    steps_per_epoch: int
    validation_s: float
    epoch_s: float
    drawing_s: float
    frame_s: float
    end_s: float

    def with_images(
        self, cost: ImageCost, batch: int, training: int, validation: int
    ) -> "RunCosts":
        """Return the costs of a run whose images cost this, in batches of so many."""
        return self._replace(
            step_s=batch * cost.train_s,
            steps_per_epoch=max(1, training // batch),
            validation_s=validation * cost.validation_s,
        )

    def drawings_s(self, drawings: int) -> float:
        """Return the seconds of so many drawings and their animations."""
        frames = sum(1 + drawn for drawn in range(1, drawings + 1))
        return drawings * self.drawing_s + frames * self.frame_s


class Length(NamedTuple):
    """How long a run is, and how often it stops to validate and to draw.

    Attributes:
        epochs: Number of epochs.
        start_size: Side of the images in the first epoch; none without progressive resizing.
        validate_every: Epochs from one validation to the next.
        draw_every: Epochs from one drawing to the next.
    """

    epochs: int
    start_size: int | None
    validate_every: int
    draw_every: int

    @property
    def validations(self) -> int:
        """Number of validations; the last epoch always has one."""
        return math.ceil(self.epochs / self.validate_every)

    @property
    def drawings(self) -> int:
        """Number of drawings beside the first and the last one."""
        return self.epochs // self.draw_every


class RunTime(NamedTuple):
    """Seconds of a run by what it does.

    Attributes:
        begin: Until the first step.
        training: Training steps.
        validation: Validations.
        recording: Tables, curves, checkpoints.
        drawing: Drawings of predictions, and their animation.
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
        """Seconds of the whole run."""
        return sum(self)

    def __str__(self) -> str:
        """Write the time, and where it goes."""
        parts = self._asdict().items()
        shares = ", ".join(f"{name} {part / self.total:.0%}" for name, part in parts)
        return f"about {_duration(self.total)}: {shares}"


def run_time(length: Length, size: int, costs: RunCosts, images: ImageCosts) -> RunTime:
    """Estimate how long a run takes.

    Args:
        length: Its length.
        size: Side of its images.
        costs: What each part costs at this size.
        images: How the cost of an image changes with its size.
    """
    share = mean_image_cost(size, length.start_size, length.epochs, images)
    return RunTime(
        begin=costs.begin_s,
        training=length.epochs * costs.steps_per_epoch * costs.step_s * share,
        validation=length.validations * costs.validation_s,
        recording=length.epochs * costs.epoch_s,
        drawing=costs.drawings_s(length.drawings),
        end=costs.end_s,
    )


def mean_image_cost(size: int, start_size: int | None, epochs: int, images: ImageCosts) -> float:
    """Return what a training image costs on average over the epochs, relative to the last one."""
    if start_size is None:
        return 1.0
    resizing = SizeSchedule(start_size, size, round(RESIZING_SHARE * epochs))
    seconds = [images.at(resizing.size_at(epoch)).train_s for epoch in range(resizing.epochs)]
    return (sum(seconds) / images.at(size).train_s + epochs - len(seconds)) / epochs


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 600:
        return f"{seconds / 60:.1f} minutes"
    return f"{minutes} minutes" if minutes < 120 else f"{seconds / 3600:.1f} hours"


@dataclass(frozen=True)
class Machine:
    """This machine, and what a run costs on it.

    Attributes:
        device: Kind of device.
        precision: The fastest precision.
        memory_format: The fastest memory layout.
        threads: Threads that read images ahead.
        batch_size: Images per step that were measured with.
        memory_bytes: Memory for the images of a step.
        asked_bytes: Memory that the user has allowed; none for all that is free.
        reason: What the measured precisions and layouts took.
        images: What an image costs at each size.
        costs: What everything else costs; `begin_s` without the first steps.
        first_steps_s: Seconds until the first steps are done, which are slower.
    """

    device: Literal["cpu", "cuda", "mps"]
    precision: Literal["bf16", "fp16", "fp32"]
    memory_format: Literal["channels_last", "contiguous"]
    threads: int
    batch_size: int
    memory_bytes: float
    asked_bytes: float | None
    reason: str
    images: ImageCosts
    costs: RunCosts
    first_steps_s: float

    @property
    def rough_costs(self) -> RunCosts:
        """What everything but the images costs, the first steps included."""
        return self.costs._replace(begin_s=self.costs.begin_s + self.first_steps_s)
