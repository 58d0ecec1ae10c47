"""The config of a plan, from the facts and the measurements."""

import math
from dataclasses import replace

from sceneparse.augmentation.settings import ProgressiveResizing, TransformSettings
from sceneparse.config import ReportSettings, RunConfig, TrainingSettings
from sceneparse.inference.settings import InferenceSettings
from sceneparse.losses.settings import CrossEntropyLoss, MedianFrequency
from sceneparse.optimization.settings import AdamW, OneCycle
from sceneparse.planning.estimate import RESIZING_SHARE, Length, Machine
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import SIDE_STEP, Choice
from sceneparse.planning.starting_point import StartingPoint
from sceneparse.training.auto import REFERENCE_BATCH
from sceneparse.training.memory import fitting_parts

# With fewer steps, smaller batches and more of them teach more.
FEW_STEPS = 300
MIN_BATCH = 4
# With so many epochs over so few images, the images are augmented more.
MANY_EPOCHS, FEW_IMAGES = 40, 500
# Ratio of class weights from which on the loss weights the classes.
IMBALANCED = 10.0
# Aspect ratio from which on images keep it instead of being stretched to a square.
LONG = 2.2
MAX_EMA = 0.998
# Learning rates for the reference batch: of a new network, over a trainable or a frozen encoder
# with weights, and of a whole network that already segments.
NEW_RATE, TRAINED_RATE, FROZEN_RATE, FINE_TUNING_RATE = 0.001, 0.003, 0.006, 0.001


def trial_config(data: DataFacts, start: StartingPoint, size: int) -> RunConfig:
    """Return a run to measure at a size; what it leaves open is resolved on the machine."""
    return RunConfig(
        data=data.config,
        model=start.model,
        transform=_transform(data, size, None, 1),
        optimizer=AdamW(),
        training=TrainingSettings(
            batch_size=choose_batch(data.training, FEW_STEPS), compile="off", ema=MAX_EMA
        ),
        inference=_inference(data, size),
        report=ReportSettings(every=2),
    )


def planned_config(
    data: DataFacts, machine: Machine, start: StartingPoint, choice: Choice
) -> RunConfig:
    """Decide every field of a run but its exact length.

    Args:
        data: Facts about the data.
        machine: The machine, and what a run costs on it.
        start: The network and its weights.
        choice: The size of the images, and about how long the run is.
    """
    size, length = choice
    batch_size = choose_batch(data.training, length.epochs)
    image_bytes = machine.images.at(size).memory_bytes
    inference = _inference(data, size)
    if machine.asked_bytes:
        budget = max(16, min(inference.memory_budget_mb, int(machine.asked_bytes / 2**23)))
        inference = replace(inference, memory_budget_mb=budget)
    config = RunConfig(
        data=data.config,
        model=start.model,
        transform=_transform(data, size, length.start_size, length.epochs),
        loss=_loss(data),
        optimizer=AdamW(
            lr=_rate(batch_size, start),
            encoder_lr_mult=0.33 if start.has_weights and not start.is_encoder_frozen else 1.0,
        ),
        schedule=OneCycle(),
        training=TrainingSettings(
            epochs=length.epochs,
            batch_size=batch_size,
            accumulation=fitting_parts(batch_size, image_bytes, machine.memory_bytes),
            precision=machine.precision,
            memory_format=machine.memory_format,
            compile="off",
            device=machine.device,
            threads=machine.threads,
            processes=1,
        ),
        inference=inference,
    )
    return with_length(config, length, length.epochs * max(1, data.training // batch_size))


def with_length(config: RunConfig, length: Length, total_steps: int) -> RunConfig:
    """Put the length of a run into its config.

    Args:
        config: The run.
        length: Its length.
        total_steps: Its training steps, for the moving average.
    """
    start = length.start_size
    resizing = ProgressiveResizing(start_size=start, share=RESIZING_SHARE) if start else None
    return replace(
        config,
        transform=replace(config.transform, progressive_resizing=resizing),
        training=replace(
            config.training,
            epochs=length.epochs,
            validate_every=length.validate_every,
            ema=choose_ema(total_steps),
        ),
        report=ReportSettings(every=length.draw_every),
    )


def choose_batch(images: int, epochs: int) -> int:
    """Return the batch size: the reference batch, or smaller if there would be few steps.

    An epoch has at least four steps if there are enough images.
    """
    batch = REFERENCE_BATCH
    while batch > MIN_BATCH and (images < 4 * batch or epochs * images < FEW_STEPS * batch):
        batch //= 2
    return batch if images >= batch else 2


def choose_ema(steps: int) -> float | None:
    """Return the EMA decay that averages about a tenth of the steps; none for a few steps."""
    return min(MAX_EMA, round(1 - 10 / steps, 3)) if steps >= 100 else None


def inference_size(size: int, short_side: int) -> int:
    """Return the side for predictions: objects are larger in crops than in whole images."""
    largest = SIDE_STEP * math.ceil(short_side / SIDE_STEP)
    return max(size, min(largest, SIDE_STEP * round(1.15 * size / SIDE_STEP)))


def _transform(
    data: DataFacts, size: int, start_size: int | None, epochs: int
) -> TransformSettings:
    sided = any(side in name.lower().split() for name in data.class_names for side in _SIDES)
    is_long = data.aspect_ratio >= LONG
    repeats = epochs >= MANY_EPOCHS and data.training < FEW_IMAGES
    resizing = start_size and ProgressiveResizing(start_size=start_size, share=RESIZING_SHARE)
    return TransformSettings(
        size=size,
        progressive_resizing=resizing or None,
        crop=1.0 if is_long else 0.5,
        aspect=1.0 if is_long else 1.33,
        scale=(0.75, 1.5) if is_long else None,
        short_side=size if is_long else None,
        flip=0.0 if sided else 0.5,
        brightness=0.3,
        contrast=0.2,
        saturation=0.3 if data.has_colors else 0.0,
        rotation=10.0 if repeats else 0.0,
        hue=0.05 if repeats and data.has_colors else 0.0,
        blur=0.1 if repeats else 0.0,
        noise=0.1 if repeats else 0.0,
    )


_SIDES = ("left", "right")


def _inference(data: DataFacts, size: int) -> InferenceSettings:
    if data.aspect_ratio >= LONG:
        return InferenceSettings(resize="keep_ratio", size=size)
    return InferenceSettings(resize="stretch", size=inference_size(size, data.short_side))


def _loss(data: DataFacts) -> CrossEntropyLoss:
    if data.imbalance < IMBALANCED:
        return CrossEntropyLoss()
    weights = MedianFrequency(power=0.35, min=0.35, max=3.0)
    return CrossEntropyLoss(class_weights=weights)


def _rate(batch_size: int, start: StartingPoint) -> float:
    """Return the learning rate of the reference batch, scaled by the root of the batch size."""
    rate = NEW_RATE
    if start.is_encoder_frozen:
        rate = FROZEN_RATE
    elif start.is_fine_tuned:
        rate = FINE_TUNING_RATE
    elif start.has_weights:
        rate = TRAINED_RATE
    return round(rate * math.sqrt(batch_size / REFERENCE_BATCH), 5)
