"""What a job reports while it runs.

Every job takes a `callback`, a function that is called with each event. `callback=print` shows
them as lines of text; the command line draws progress bars from the same events.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sceneparse.training.loop import EpochRecord

Item = TypeVar("Item")


@dataclass(frozen=True)
class Message:
    """A line that the user should read: a decision, a hint or a result.

    Attributes:
        text: The line.
    """

    text: str

    def __str__(self) -> str:
        """Return the line."""
        return self.text


@dataclass(frozen=True)
class Progress:
    """How far a part of a job is.

    Attributes:
        task: What is being done, such as `evaluating`.
        done: Items done.
        total: Items in all; none if it is not known. The part ends when `done` reaches it.
    """

    task: str
    done: int
    total: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether this is the last event of the part."""
        return self.total is not None and self.done >= self.total

    def __str__(self) -> str:
        """Write task and count."""
        return self.task if self.total is None else f"{self.task}: {self.done}/{self.total}"


@dataclass(frozen=True)
class StepEnded:
    """A training step is done. Reported for every tenth step and the first two of an epoch.

    Attributes:
        step: Steps done, counted from 1.
        total_steps: Steps of the whole run.
        epoch: The current epoch, counted from 1.
        epochs: Epochs of the whole run.
        loss: Mean loss of the step over the whole batch.
        seconds_left: Estimate of the remaining seconds; none in the first few steps.
    """

    step: int
    total_steps: int
    epoch: int
    epochs: int
    loss: float
    seconds_left: float | None

    def __str__(self) -> str:
        """Write step, loss and remaining time."""
        left = time_left(self.seconds_left)
        line = f"step {self.step}/{self.total_steps} | loss {self.loss:.3f}"
        return f"{line} | {left}" if left else line


@dataclass(frozen=True)
class EpochEnded:
    """An epoch is done: its losses and scores.

    Attributes:
        record: What the epoch came to.
        epochs: Epochs of the whole run.
    """

    record: "EpochRecord"
    epochs: int

    def __str__(self) -> str:
        """Write losses, scores and speed in a line."""
        record, timing = self.record, self.record.timing
        parts = [
            f"epoch {record.epoch:>{len(str(self.epochs))}}/{self.epochs}",
            f"loss {record.train_loss:.3f} mIoU {record.train.miou:.3f} "
            f"accuracy {record.train.pixel_accuracy:.3f}",
        ]
        if record.validation:
            scores = record.validation.scores
            parts.append(
                f"validation loss {record.validation.loss:.3f} mIoU {scores.miou:.3f} "
                f"accuracy {scores.pixel_accuracy:.3f}{' (best)' if record.is_best else ''}"
            )
        seconds = timing["train_s"] + timing["validation_s"]
        parts.append(f"{timing['images_per_s']:.1f} images/s, {seconds:.0f} s")
        return " | ".join(parts)


Event = Message | Progress | StepEnded | EpochEnded
Callback = Callable[[Event], object]


def ignore(_event: Event) -> None:
    """Ignore an event: the callback of a job that reports nothing."""


def tracked(items: Iterable[Item], callback: Callback, task: str, total: int) -> Iterator[Item]:
    """Yield items and report each one as progress once the caller asks for the next."""
    callback(Progress(task, 0, total))
    for done, item in enumerate(items, start=1):
        yield item
        callback(Progress(task, done, total))


@contextmanager
def activity(callback: Callback, task: str) -> Generator[None]:
    """Report a part of a job whose length is not known while the `with` block runs."""
    callback(Progress(task, 0))
    try:
        yield
    finally:
        callback(Progress(task, 1, 1))


def time_left(seconds: float | None) -> str:
    """Write remaining seconds such as `12 min left`; empty if they are not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    if seconds <= 7200:
        return f"{seconds / 60:.0f} min left"
    return f"{seconds / 3600:.1f} h left"
