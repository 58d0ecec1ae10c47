"""The training loop. It counts steps, so a run resumes from its step alone."""

import time
from collections.abc import Generator
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from sceneparse import factory
from sceneparse.artifacts.kept_step import NonFiniteStep
from sceneparse.augmentation.colors import jitter_colors_of_batch
from sceneparse.data.loader import Batch
from sceneparse.inference.evaluation import Evaluation
from sceneparse.losses.loss import LossOutput
from sceneparse.metrics.scores import Scores
from sceneparse.training.distributed import (
    all_reduce,
    broadcast_buffers,
    broadcast_from_rank_zero,
    max_over_ranks,
)
from sceneparse.training.nonfinite import (
    NonFiniteStopError,
    clip_gradients,
    nonfinite_step,
    step_if_finite,
    stop_message,
)
from sceneparse.training.parts import in_parts
from sceneparse.training.setup import TrainSetup
from sceneparse.training.smaller_parts import with_fitting_parts
from sceneparse.training.state import EpochSums, TrainState

# More non-finite steps in a row than this are no outliers of the data.
MAX_IN_A_ROW = 10


class EpochRecord(NamedTuple):
    """The results of an epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        step: Number of steps done in the run.
        learning_rate: Learning rate of the last step; the highest of all parameter groups.
        train_loss: Mean training loss over the valid pixels, in nats.
        train: Scores of the predictions during training, on augmented images.
        validation: Results on the validation split, if this epoch was validated.
        is_best: Whether the validation mIoU is the best so far.
        timing: Seconds and other figures that depend on the machine.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train: Scores
    validation: Evaluation | None
    is_best: bool
    timing: dict[str, float]


class Request(IntEnum):
    """What an observer wants after a step; the greatest of all processes is done."""

    NOTHING = 0
    SAVE = 1
    STOP = 2


class Observer(Protocol):
    """Follows a run, saves it and may stop it."""

    def step_ended(self, step: int, loss: Tensor) -> None:
        """Take note of a step: its number, from 1, and the mean loss of its batch."""
        ...

    def epoch_ended(self, record: EpochRecord) -> None:
        """Take note of an epoch."""
        ...

    def step_skipped(self, step: NonFiniteStep) -> str:
        """Take note of a step that was not finite, and return the file that keeps it, if any."""
        ...

    def save(self) -> None:
        """Write a checkpoint of the current state."""
        ...

    def request(self) -> Request:
        """Return what to do after this step."""
        ...


def fit(state: TrainState, setup: TrainSetup, observer: Observer) -> bool:
    """Train from the current state to the end of the run.

    Args:
        state: The training state; it is updated in place.
        setup: The setup of the run.
        observer: Follows the run.

    Returns:
        Whether the run is over; if not, the observer has stopped it and saved the state.

    Raises:
        NonFiniteStopError: If the loss or gradient of a step is not finite, and the config does
            not say to skip it.
    """
    clock = Clock()
    batches = setup.loader.batches(state.step, setup.total_steps)
    while not setup.is_over(state):
        with clock.waiting():
            batch = next(batches)
        loss = train_step(state, setup, batch)
        state.step += 1
        clock.images += len(batch.names) * setup.rank_info.world_size
        observer.step_ended(state.step, loss)
        if state.guard.is_due(state.step, setup.loader.steps_per_epoch):
            batches = _without_nonfinite(state, setup, observer, batches)
        if state.step % setup.loader.steps_per_epoch == 0:
            observer.epoch_ended(_end_epoch(state, setup, clock))
            clock = Clock()
        request = max_over_ranks(observer.request())
        if request != Request.NOTHING or setup.is_over(state):
            batches = _without_nonfinite(state, setup, observer, batches)
            _save(state, observer)
        if request == Request.STOP:
            break
    batches.close()
    return setup.is_over(state)


def _save(state: TrainState, observer: Observer) -> None:
    """Save a checkpoint, which holds the sums of all processes."""
    own = state.sums.confusion
    state.sums.confusion = all_reduce(own.clone())
    observer.save()
    state.sums.confusion = own


def _without_nonfinite(
    state: TrainState, setup: TrainSetup, observer: Observer, batches: Generator[Batch]
) -> Generator[Batch]:
    """Look for a step that was not finite; skip it, and go on with the step after it.

    Returns:
        The batches that follow.

    Raises:
        NonFiniteStopError: If there is such a step, and it shall not be skipped.
    """
    found = state.guard.read()
    if found is None:
        return batches
    step = nonfinite_step(found, setup.loader, state.parts)
    state.guard.count(found.step)
    # The other processes wait until rank zero has written the file.
    file = broadcast_from_rank_zero(lambda: observer.step_skipped(step))
    in_a_row, policy = state.guard.in_a_row, setup.config.training.on_nonfinite
    if policy != "skip" or in_a_row > MAX_IN_A_ROW:
        batches.close()
        text = stop_message(step, file, setup.loader.steps_per_epoch, policy, in_a_row)
        raise NonFiniteStopError(text, step.number)
    if state.step == step.number:
        return batches
    # The steps after it have changed nothing.
    state.step = step.number
    batches.close()
    return setup.loader.batches(state.step, setup.total_steps)


def train_step(state: TrainState, setup: TrainSetup, batch: Batch) -> Tensor:
    """Do one optimizer step; the caller counts it.

    Args:
        state: The training state; weights, optimizer and sums are updated in place.
        setup: The setup of the run.
        batch: This process's share of the batch.

    Returns:
        The mean loss over the valid pixels of the whole batch, a scalar.
    """
    image, mask = to_device(setup, batch)
    factor = state.schedule.factor(state.step)
    for group in state.optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor * state.guard.lr_factor
    # Counted over the whole batch, however many parts compute it.
    valid = all_reduce((mask != setup.loss.ignore_index).sum()).clamp(min=1).float()
    state.guard.keep_buffers()

    def backward() -> LossOutput:
        """Compute the gradients, and return the sums of all parts."""
        # Dropout then depends on no earlier step, and a run resumes exactly.
        torch.manual_seed(step_seed(setup.config.seed, state.step, setup.rank_info.rank))
        total = torch.zeros_like(state.sums.loss)
        confusion = torch.zeros_like(state.sums.confusion)
        for part in in_parts(setup.model, image, mask, state.parts):
            with factory.autocast(setup.settings.precision, setup.device):
                sums: LossOutput = setup.model(*part, setup.loss)
            # DDP averages gradients over processes, but the loss is a sum over all pixels.
            loss = sums.total * setup.rank_info.world_size / valid
            state.scaler.scale(loss).backward()
            total += sums.total.detach()
            confusion += sums.confusion
        return LossOutput(total, confusion)

    total, confusion = with_fitting_parts(state, setup, len(image), backward)
    mean_loss = all_reduce(total).float() / valid
    state.scaler.unscale_(state.optimizer)
    norm = clip_gradients(state.optimizer, setup.config.training.clip_norm)
    taken = state.guard.check(state.step, mean_loss, norm, state.scaler)
    step_if_finite(state.optimizer, state.scaler, taken)
    state.optimizer.zero_grad()
    state.guard.restore_buffers(taken)
    if state.average:
        state.average.update(state.segmenter, state.step, taken)
    state.sums.loss += torch.where(taken > 0, total, 0)
    state.sums.confusion += confusion * taken.long()
    return mean_loss


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of dropout in a step of a process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


def to_device(setup: TrainSetup, batch: Batch) -> tuple[Tensor, Tensor]:
    """Move a batch to the device: images `(B, C, H, W)` in 0..255 and masks `(B, H, W)`."""
    device = setup.device
    image, mask, color_jitter = (
        # From pinned memory, the copy runs while the GPU computes.
        (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)
        for tensor in map(torch.from_numpy, (batch.image, batch.mask, batch.color_jitter))
    )
    image = image.permute(0, 3, 1, 2)
    if mask.dtype == torch.uint16:
        # PyTorch moves uint16, but has few operations on it.
        mask = mask.int()
    if setup.loader.transform.defers_color_jitter:
        # In bf16, eight significant bits are left, as many as an image file has.
        image = jitter_colors_of_batch(image, color_jitter).to(setup.settings.dtype)
    return image, mask


class Clock:
    """Measures an epoch: all its seconds, and those spent waiting for data."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.waited = 0.0
        self.images = 0
        self._since = 0.0

    def waiting(self) -> "Clock":
        """Count the seconds inside the `with` as waiting."""
        return self

    def __enter__(self) -> None:
        self._since = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.waited += time.perf_counter() - self._since

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.start


def _end_epoch(state: TrainState, setup: TrainSetup, clock: Clock) -> EpochRecord:
    """Sum up an epoch, validate if it is time, and start new sums."""
    training = setup.config.training
    epoch = state.step // setup.loader.steps_per_epoch
    confusion = all_reduce(state.sums.confusion)
    # Waits for an accelerator, so the time of its last steps counts as training.
    mean_loss = float(state.sums.loss) / max(1, int(confusion.sum()))
    train_seconds = clock.seconds()
    waited = float(all_reduce(torch.tensor(clock.waited))) / setup.rank_info.world_size
    state.sums = EpochSums.zeros(confusion.shape[0], confusion.device)
    validation = None
    is_best = False
    if epoch % training.validate_every == 0 or epoch == training.epochs:
        broadcast_buffers(state.kept)
        validation = setup.validate(setup.predictor)
        state.schedule.add_validation(validation.loss)
        is_best = state.best_epoch == 0 or validation.scores.miou > state.best_miou
        if is_best:
            state.best_miou, state.best_epoch = validation.scores.miou, epoch
    return EpochRecord(
        epoch=epoch,
        step=state.step,
        learning_rate=max(group["lr"] for group in state.optimizer.param_groups),
        train_loss=mean_loss,
        train=Scores.from_confusion(confusion.cpu().numpy()),
        validation=validation,
        is_best=is_best,
        timing={
            "train_s": train_seconds,
            "validation_s": clock.seconds() - train_seconds,
            "images_per_s": clock.images / train_seconds,
            "data_wait_share": waited / train_seconds,
        },
    )
