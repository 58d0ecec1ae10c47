"""Compute a step of training that was not finite again, and find out where it comes from."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sceneparse import factory
from sceneparse.artifacts.kept_step import NonFiniteStep, read_step
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document, config_of
from sceneparse.data.loader import Batch
from sceneparse.errors import InputError
from sceneparse.system.paths import expand_user
from sceneparse.training.auto import resolve
from sceneparse.training.loop import step_seed, to_device
from sceneparse.training.nonfinite import clip_gradients
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState
from sceneparse.training.tracing import FirstNonFinite, Tracer

Part = tuple[Tensor, Tensor, list[str]]


@dataclass(frozen=True)
class Recomputed:
    """A step computed again in a precision.

    Attributes:
        precision: The precision.
        loss: Mean loss of the step.
        gradient_norm: Norm of its gradient.
        largest_weight: Largest magnitude of a weight of the network.
        first: Where it first becomes non-finite; none if it does not.
        images: Names of the images of which that is known; empty if it holds for all.
    """

    precision: str
    loss: float
    gradient_norm: float
    largest_weight: float
    first: FirstNonFinite | None
    images: tuple[str, ...]

    def __str__(self) -> str:
        """Write where it becomes non-finite, and what the module's inputs look like."""
        start = f"in {self.precision}: loss {self.loss:.4g}, gradient norm {self.gradient_norm:.4g}"
        if self.first is None:
            return f"{start}; all of it is finite"
        first = self.first
        of_images = f", for {', '.join(self.images)}" if self.images else ""
        lines = [
            start,
            _WHERE[first.phase].format(name=first.module, kind=first.kind) + of_images,
        ]
        if first.inputs.values:
            what = "gradient" if first.phase in ("backward", "gradient") else "inputs"
            lines.append(f"its {what}: {first.inputs}")
        if first.weights.values:
            lines.append(f"its weights: {first.weights}")
        return "\n  ".join(lines)


_WHERE = {
    "weights": "{name} ({kind}) holds weights or statistics that are not finite before the step",
    "forward": "first not finite in the forward pass: the output of {name} ({kind})",
    "loss": "first not finite: the loss, from logits of {name} ({kind})",
    "backward": "first not finite in the backward pass: the gradient of {name} ({kind})",
    "gradient": "all values are finite, their norm overflows; largest gradient: {name} ({kind})",
}


@dataclass(frozen=True)
class Replay:
    """A step of a run, computed again.

    Attributes:
        step: The step.
        fp32: The step in fp32.
        as_trained: The step in the precision of the run, if that is another one.
    """

    step: NonFiniteStep
    fp32: Recomputed
    as_trained: Recomputed | None

    @property
    def advice(self) -> str:
        """What to do about it."""
        first = self.fp32.first
        if first is None:
            if self.as_trained is None or self.as_trained.first is None:
                return "the step is finite now: it does not come from the weights and images alone"
            precision = self.as_trained.precision
            what = "the range of fp16 is too small" if precision == "fp16" else "bf16 is too coarse"
            return (
                f"in fp32 the step is finite, so {what} for it: train with "
                "training.precision=fp32, or with a lower optimizer.lr"
            )
        if first.phase == "weights":
            return "the weights were not finite before the step: start from other weights"
        if self.fp32.largest_weight > LARGE_WEIGHT:
            return (
                f"weights as large as {self.fp32.largest_weight:.3g} come from a learning rate "
                "that is too high: lower optimizer.lr, or set training.clip_norm=1"
            )
        return (
            "look at the images that are named, and lower optimizer.lr or set "
            "training.clip_norm=1 if earlier steps had a rising loss"
        )

    def __str__(self) -> str:
        """Write all of it in lines."""
        runs = [str(run) for run in (self.fp32, self.as_trained) if run]
        head = f"step {self.step.number}: {self.step.reason} in the run"
        return "\n".join([head, f"images: {', '.join(self.step.names)}", *runs, self.advice])


# Trained weights of networks with normalisation stay below ten.
LARGE_WEIGHT = 1e3


def replay(
    file: str | Path,
    *,
    overrides: Sequence[str] = (),
) -> Replay:
    """Compute a step that was not finite again in fp32, and say where it becomes so.

    The images are read from the data set again, with the same augmentation. Dropout differs if
    several processes shared the step.

    Args:
        file: `nonfinite/step_N.json` of a run folder.
        overrides: Changed fields of the run's config, such as `data.root=FOLDER`, or
            `training.device=cuda` in place of the CPU.

    Raises:
        InputError: If the file or the data set is not what the run had.

    Example:
        >>> print(sceneparse.replay("runs/mydata/nonfinite/step_812.json"))  # doctest: +SKIP
    """
    path = expand_user(file)
    step, weights = read_step(path)
    stored = RunFolder(path.absolute().parent.parent).read_config()
    changes = ["training.device=cpu", *overrides]
    stored = config_of(config_document(stored), "the run's config", changes)
    fp32 = _recompute(stored, "fp32", step, weights)
    precision = stored.training.precision
    as_trained = None if precision == "fp32" else _recompute(stored, precision, step, weights)
    return Replay(step, fp32, as_trained)


def _recompute(
    stored: RunConfig,
    precision: Literal["auto", "bf16", "fp16", "fp32"],
    step: NonFiniteStep,
    weights: dict[str, Tensor],
) -> Recomputed:
    training = replace(
        stored.training,
        precision=precision,
        compile="off",
        processes=1,
        ema=None,
        # Its advice, a smaller run, would be another step.
        check_memory=False,
    )
    config = replace(stored, training=training)
    state, setup = _set_up(config, weights)
    tracer = Tracer(state.segmenter)
    tracer.check_weights()
    batches = _batches(setup, step)
    valid = sum(int((batch.mask != setup.loss.ignore_index).sum()) for batch in batches)
    torch.manual_seed(step_seed(step.seed, step.step, 0))
    total = 0.0
    images: tuple[str, ...] = ()
    for image, mask, names in _parts(setup, batches, step.parts):
        with tracer.following():
            with factory.autocast(setup.settings.precision, setup.device):
                output = setup.model(image, mask, setup.loss)
            tracer.check_loss(output.total)
            (output.total / max(1, valid)).backward()
        total += float(output.total.detach())
        if tracer.first and not images:
            images = tuple(names[index] for index in tracer.first.images)
    tracer.check_gradients()
    norm = float(clip_gradients(state.optimizer, None))
    largest = max(float(weight.detach().abs().max()) for weight in state.segmenter.parameters())
    return Recomputed(precision, total / max(1, valid), norm, largest, tracer.first, images)


def _set_up(config: RunConfig, weights: dict[str, Tensor]) -> tuple[TrainState, TrainSetup]:
    training = factory.dataset(config.data, "training", to_learn=True)
    segmenter = config.model.untrained.build(training.labels.num_classes, config.channels)
    try:
        segmenter.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"the weights of the step do not fit the network of the run's config ({error})"
        ) from None
    statistics = factory.class_statistics(config, training)
    settings = resolve(config, segmenter, training)
    return set_up_training(config, settings, segmenter, training, class_statistics=statistics)


def _batches(setup: TrainSetup, step: NonFiniteStep) -> list[Batch]:
    """Load the share of each process of the step."""
    share = setup.loader.batch_size // step.world_size
    batches: list[Batch] = []
    for rank in range(step.world_size):
        loader = replace(setup.loader, rank=rank, world_size=step.world_size, batch_size=share)
        batches += loader.batches(step.step, step.step + 1)
    names = tuple(name for batch in batches for name in batch.names)
    if names != step.names:
        pairs = zip_longest(names, step.names, fillvalue="none")
        found, expected = next(pair for pair in pairs if pair[0] != pair[1])
        raise InputError(
            f"step {step.number}: its {len(names)} images are not the {len(step.names)} of the "
            f"run: found {found}, expected {expected}; bring the data set back, or name it with "
            "data.root"
        )
    return batches


def _parts(setup: TrainSetup, batches: Sequence[Batch], parts: int) -> Generator[Part]:
    """Yield images `(b, C, H, W)`, masks `(b, H, W)` and names of what was normalised together."""
    shares: list[list[Part]] = []
    for batch in batches:
        image, mask = to_device(setup, batch)
        count = min(parts, len(batch.names))
        indices = torch.arange(len(image)).tensor_split(count)
        names = [[batch.names[index] for index in part.tolist()] for part in indices]
        shares.append(
            list(zip(image.tensor_split(count), mask.tensor_split(count), names, strict=True))
        )
    if not setup.config.training.sync_batch_norm:
        yield from (part for share in shares for part in share)
        return
    for together in zip(*shares, strict=True):
        images, masks, names = zip(*together, strict=True)
        yield torch.cat(images), torch.cat(masks), [name for part in names for name in part]
