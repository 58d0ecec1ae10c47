"""From facts to a whole config."""

import math
from dataclasses import replace
from typing import NamedTuple

from sceneparse.augmentation.settings import ProgressiveResizing, TransformSettings
from sceneparse.config import ReportSettings, RunConfig, TrainingSettings
from sceneparse.inference.settings import InferenceSettings
from sceneparse.losses.settings import CrossEntropyLoss, MedianFrequency
from sceneparse.optimization.settings import AdamW, OneCycle
from sceneparse.planning.facts import SIDE_STEP, DataFacts, MachineFacts, Speed, Start
from sceneparse.planning.length import Length
from sceneparse.planning.reasons import reasons
from sceneparse.planning.sizes import GROWTH, Sizes
from sceneparse.training.auto import REFERENCE_BATCH
from sceneparse.training.memory import fitting_parts

# Steps below which smaller batches, and more of them, teach more.
FEW_STEPS = 300
SMALLEST_BATCH = 4
# Passes after which a network has seen few images too often as they are.
MANY_PASSES, FEW_IMAGES = 40, 500
# Weights of the rarest class over that of the most frequent one, from where it is made up for.
IMBALANCED = 10.0
# Longer images are not stretched to a square.
LONG = 2.2
LARGEST_EMA = 0.998
# Learning rates for a batch of the reference: of a new network, over a trained encoder that learns
# too or that stays as it is, and of a whole network that can segment already.
NEW_RATE, TRAINED_RATE, FIXED_RATE, FURTHER_RATE = 0.001, 0.003, 0.006, 0.001


class Draft(NamedTuple):
    """A config, and why it is as it is.

    Attributes:
        config: The run.
        reasons: By dotted path; what has none is as it is by default.
    """

    config: RunConfig
    reasons: dict[str, str]


def draft(
    data: DataFacts, machine: MachineFacts, start: Start, sizes: Sizes, speed: Speed
) -> Draft:
    """Decide all but the length of a run, which is measured with what is decided here.

    Args:
        data: What is learned.
        machine: What computes.
        start: The network.
        sizes: Of the training images.
        speed: For the memory that images take.
    """
    batch_size = chosen_batch(data.training, sizes.epochs)
    parts = fitting_parts(batch_size, speed.at(sizes.size).image_bytes, machine.memory_bytes)
    transform, inference = _transform(data, sizes), _inference(data, sizes.size)
    if machine.asked_bytes:
        budget = max(16, min(inference.memory_budget_mb, int(machine.asked_bytes / 2**23)))
        inference = replace(inference, memory_budget_mb=budget)
    config = RunConfig(
        data=data.config,
        model=start.model,
        transform=transform,
        loss=_loss(data),
        optimizer=AdamW(
            lr=_rate(batch_size, start),
            encoder_lr_mult=0.33 if start.is_trained and not start.is_fixed else 1.0,
        ),
        schedule=OneCycle(),
        training=TrainingSettings(
            epochs=sizes.epochs,
            batch_size=batch_size,
            accumulation=parts,
            precision=machine.precision,
            memory_format=machine.memory_format,
            compile="off",
            device=machine.device,
            threads=machine.threads,
            processes=1,
            ema=ema_of(sizes.epochs * data.training // batch_size),
        ),
        inference=inference,
    )
    return Draft(config, reasons(config, data, machine, start, sizes))


def trial(data: DataFacts, start: Start, size: int) -> RunConfig:
    """Return a run whose images are measured; of what is left open the machine decides."""
    return RunConfig(
        data=data.config,
        model=start.model,
        transform=_transform(data, Sizes(size, None, 1, 1)),
        optimizer=AdamW(),
        training=TrainingSettings(
            batch_size=chosen_batch(data.training, FEW_STEPS), compile="off", ema=LARGEST_EMA
        ),
        inference=_inference(data, size),
        report=ReportSettings(every=2),
    )


def finished(plan: Draft, length: Length, total_steps: int) -> Draft:
    """Put the length of the run in."""
    first = length.first_size
    resizing = ProgressiveResizing(start_size=first, share=GROWTH) if first else None
    config = replace(
        plan.config,
        transform=replace(plan.config.transform, progressive_resizing=resizing),
        training=replace(
            plan.config.training,
            epochs=length.epochs,
            validate_every=length.validate_every,
            ema=ema_of(total_steps),
        ),
        report=ReportSettings(every=length.report_every),
    )
    drawn = f"{length.drawings} drawings" if length.drawings else "only the first and the last one"
    why = plan.reasons | {
        "training.epochs": f"{total_steps} steps: what fits into the time at the measured pace",
        "training.validate_every": f"{length.validations} validations: about a tenth of the time "
        "at most",
        "training.ema": "an average over about a tenth of the steps scores better than the last "
        "weights",
        "report.every": f"{drawn}: about a twentieth of the time at most",
    }
    if first is None:
        why["transform.progressive_resizing"] = "too few epochs, or images too small, for it to pay"
    return Draft(config, why)


def chosen_batch(images: int, epochs: int) -> int:
    """Return the images of a step: the reference batch, or fewer where there would be few steps.

    A small data set keeps at least four steps in an epoch, where it has as many images.
    """
    batch = REFERENCE_BATCH
    while batch > SMALLEST_BATCH and (images < 4 * batch or epochs * images < FEW_STEPS * batch):
        batch //= 2
    return batch if images >= batch else 2


def ema_of(steps: int) -> float | None:
    """Return the decay of an average over at most a tenth of the steps; none for a few steps."""
    return min(LARGEST_EMA, round(1 - 10 / steps, 3)) if steps >= 100 else None


def inference_size(size: int, short_side: int) -> int:
    """Return the side for predictions: cuts show things larger than whole images of the size."""
    largest = SIDE_STEP * math.ceil(short_side / SIDE_STEP)
    return max(size, min(largest, SIDE_STEP * round(1.15 * size / SIDE_STEP)))


def _transform(data: DataFacts, sizes: Sizes) -> TransformSettings:
    first = sizes.first_size
    sided = any(side in name.lower().split() for name in data.class_names for side in _SIDES)
    is_long, repeats = data.ratio >= LONG, _repeats(data, sizes)
    return TransformSettings(
        size=sizes.size,
        progressive_resizing=ProgressiveResizing(start_size=first, share=GROWTH) if first else None,
        crop=1.0 if is_long else 0.5,
        aspect=1.0 if is_long else 1.33,
        scale=(0.75, 1.5) if is_long else None,
        short_side=sizes.size if is_long else None,
        flip=0.0 if sided else 0.5,
        brightness=0.3,
        contrast=0.2,
        saturation=0.3,
        rotation=10.0 if repeats else 0.0,
        hue=0.05 if repeats else 0.0,
        blur=0.1 if repeats else 0.0,
        noise=0.1 if repeats else 0.0,
    )


_SIDES = ("left", "right")


def _repeats(data: DataFacts, sizes: Sizes) -> bool:
    return sizes.epochs >= MANY_PASSES and data.training < FEW_IMAGES


def _inference(data: DataFacts, size: int) -> InferenceSettings:
    if data.ratio >= LONG:
        return InferenceSettings(resize="keep_ratio", size=size)
    return InferenceSettings(resize="stretch", size=inference_size(size, data.short_side))


def _loss(data: DataFacts) -> CrossEntropyLoss:
    if data.imbalance < IMBALANCED:
        return CrossEntropyLoss()
    weights = MedianFrequency(power=0.35, min=0.35, max=3.0)
    return CrossEntropyLoss(class_weights=weights)


def _rate(batch_size: int, start: Start) -> float:
    """Return the learning rate: of the reference batch, by the root of the batch's share of it."""
    rate = NEW_RATE
    if start.is_fixed:
        rate = FIXED_RATE
    elif start.is_further:
        rate = FURTHER_RATE
    elif start.is_trained:
        rate = TRAINED_RATE
    return round(rate * math.sqrt(batch_size / REFERENCE_BATCH), 5)
