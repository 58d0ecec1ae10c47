"""The training loop: counted in steps, so that a run resumes by starting to count where it was."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sceneparse.augmentation.colors import jitter_colors_of_batch
from sceneparse.data.loader import Batch, Loader
from sceneparse.errors import InputError
from sceneparse.inference.evaluate import Evaluation
from sceneparse.losses.sums import LossSum
from sceneparse.metrics.scores import Scores
from sceneparse.models.segmenter import Loss
from sceneparse.training.group import all_reduce, any_rank, share_buffers
from sceneparse.training.parts import in_parts
from sceneparse.training.state import EpochSums, TrainState


@dataclass(frozen=True)
class Job:
    """All that does not change while a run goes on.

    Attributes:
        fabric: Device, precision and processes.
        model: The segmenter as Fabric wrapped it.
        optimizer: The optimizer as Fabric wrapped it.
        loss: What is minimised.
        loader: Batches by step.
        ignore_index: Train id of void.
        validate: Scores the network that is kept, as it is.
        epochs: How many.
        validate_every: Epochs from one validation to the next; the last one always is validated.
        clip_norm: Largest norm of the gradient, or none.
        seed: Of what is random in the network.
        accumulation: Parts in which a process computes its share of a batch.
        patience: Validations in a row without a better score after which the run ends, or none.
    """

    fabric: Fabric
    model: nn.Module
    optimizer: Any
    loss: Loss
    loader: Loader
    ignore_index: int
    validate: Callable[[], Evaluation]
    epochs: int
    validate_every: int
    clip_norm: float | None
    seed: int = 0
    accumulation: int = 1
    patience: int | None = None

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.loader.steps_per_epoch

    def is_over(self, state: TrainState) -> bool:
        """Tell whether nothing is left to do: all steps are done, or the score rises no more.

        The epoch that was best says how many validations there have been since.
        """
        if state.step >= self.total_steps or self.patience is None:
            return state.step >= self.total_steps
        validations = state.step // self.loader.steps_per_epoch // self.validate_every
        return validations - state.best_epoch // self.validate_every >= self.patience


class EpochRecord(NamedTuple):
    """What an epoch came to.

    Attributes:
        epoch: Counted from 1.
        step: Steps done in the run.
        learning_rate: At its last step; of several, the highest.
        train_loss: Mean over its valid pixels, in nats, while the weights were moving.
        train: Scores of its training predictions, at the size and with the changes of training.
        validation: Scores on the validation split, where this epoch was validated.
        is_best: Whether that is the best so far.
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


class Observer(Protocol):
    """Who is told how the run goes."""

    def step_ended(self, step: int, loss: Tensor) -> None:
        """Take note of a step: its number from 1 and the mean loss of the whole batch."""
        ...

    def epoch_ended(self, record: EpochRecord) -> None:
        """Take note of an epoch, before its checkpoint is written."""
        ...

    def save(self) -> None:
        """Write a checkpoint of the state as it is."""
        ...

    def wants_stop(self) -> bool:
        """Tell whether to stop after this step."""
        ...


def fit(state: TrainState, job: Job, observer: Observer) -> bool:
    """Train from where the state is to the end, or until the score has not risen for too long.

    Returns:
        Whether the run is over; if not, a stop was asked for and the state has been saved.

    Raises:
        InputError: If the loss is no longer a number.
    """
    clock = Clock()
    batches = job.loader.batches(state.step, job.total_steps)
    while not job.is_over(state):
        with clock.waiting():
            batch = next(batches)
        loss = train_step(state, job, batch)
        state.step += 1
        clock.images += len(batch.names) * job.loader.world_size
        observer.step_ended(state.step, loss)
        if state.step % job.loader.steps_per_epoch == 0:
            record = _end_epoch(state, job, clock)
            observer.epoch_ended(record)
            observer.save()
            clock = Clock()
        if any_rank(observer.wants_stop()):
            # One checkpoint is written for all.
            state.sums.confusion = all_reduce(state.sums.confusion)
            observer.save()
            break
    batches.close()
    return job.is_over(state)


def train_step(state: TrainState, job: Job, batch: Batch) -> Tensor:
    """Do one optimizer step and return the mean loss over the valid pixels of the whole batch."""
    fabric = job.fabric
    image, mask = _on_device(job, batch)
    factor = state.schedule.factor(state.step)
    for group in state.optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    # Dropout and its like then depend on nothing that came before, and a run resumes exactly.
    torch.manual_seed(_step_seed(job.seed, state.step, fabric.global_rank))
    # Of the whole batch, whatever the parts that it is computed in.
    valid = all_reduce((mask != job.ignore_index).sum()).clamp(min=1).float()
    total = torch.zeros_like(state.sums.loss)
    for part in in_parts(fabric, job.model, image, mask, job.accumulation):
        sums: LossSum = job.model(*part, job.loss)
        # DDP averages gradients over processes; the sum over all pixels is wanted.
        fabric.backward(sums.total * fabric.world_size / valid)
        total += sums.total.detach()
        state.sums.confusion += sums.confusion
    if job.clip_norm is not None:
        # The scaler of fp16 deals with gradients that are not finite, and the epoch's end reports.
        fabric.clip_gradients(
            job.model, job.optimizer, max_norm=job.clip_norm, error_if_nonfinite=False
        )
    job.optimizer.step()
    job.optimizer.zero_grad()
    if state.average:
        state.average.follow(state.segmenter, state.step)
    state.sums.loss += all_reduce(total)
    return total.float() / valid


def _step_seed(seed: int, step: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


def _on_device(job: Job, batch: Batch) -> tuple[Tensor, Tensor]:
    """Bring a batch to the device: images `(B, 3, H, W)` in 0..255 and masks `(B, H, W)`."""
    device = job.fabric.device
    image, mask, color_jitter = (
        # From pinned memory the copy goes on while the GPU works.
        (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)
        for tensor in map(torch.from_numpy, (batch.image, batch.mask, batch.color_jitter))
    )
    image = image.permute(0, 3, 1, 2)
    if mask.dtype == torch.uint16:
        # In which torch moves numbers, and computes hardly anything.
        mask = mask.int()
    if job.loader.transform.defers_color_jitter:
        image = jitter_colors_of_batch(image, color_jitter)
    return image, mask


class Clock:
    """Seconds of an epoch: in all, and spent waiting for data."""

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


def _end_epoch(state: TrainState, job: Job, clock: Clock) -> EpochRecord:
    """Put the epoch's sums together, validate, and start new sums."""
    epoch = state.step // job.loader.steps_per_epoch
    confusion = all_reduce(state.sums.confusion)
    # This waits for an accelerator, whose last steps belong to the training.
    mean_loss = float(state.sums.loss) / max(1, int(confusion.sum()))
    train_seconds = clock.seconds()
    waited = float(all_reduce(torch.tensor(clock.waited))) / job.fabric.world_size
    if not math.isfinite(mean_loss):
        raise InputError(
            f"epoch {epoch}: the training loss is {mean_loss}; start another run with a lower "
            "optimizer.lr, with training.clip_norm=1, or with training.precision=fp32"
        )
    state.sums = EpochSums.zeros(confusion.shape[0], confusion.device)
    validation = None
    is_best = False
    if epoch % job.validate_every == 0 or epoch == job.epochs:
        share_buffers(state.kept)
        validation = job.validate()
        state.schedule.validated(validation.loss)
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
