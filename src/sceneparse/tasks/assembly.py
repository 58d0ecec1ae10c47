"""From a config and a plan to a run that can do steps."""

from collections.abc import Callable
from typing import Any, NamedTuple, assert_never, cast

import torch
from lightning_fabric.plugins import MixedPrecision
from torch import nn

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.class_statistics import ClassStatistics
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Loader
from sceneparse.errors import InputError
from sceneparse.inference.evaluate import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.models.normalization import synchronise_
from sceneparse.models.segmenter import Loss, Segmenter
from sceneparse.models.settings import ModelSettings
from sceneparse.optimization.average import WeightAverage
from sceneparse.optimization.schedule import Schedule
from sceneparse.system.device import allow_tf32, keep_freed_memory
from sceneparse.system.ranks import RankInfo
from sceneparse.training.auto import Plan
from sceneparse.training.compilation import compiled
from sceneparse.training.group import fabric_of
from sceneparse.training.loop import Job
from sceneparse.training.parts import has_unused_parameters, single_value_norms
from sceneparse.training.state import EpochSums, TrainState


class Assembly(NamedTuple):
    """A run before its first step.

    Attributes:
        state: What changes.
        job: What does not.
        predictor: Around the network that is kept, as it is at any time.
    """

    state: TrainState
    job: Job
    predictor: Predictor


def assemble(
    config: RunConfig,
    plan: Plan,
    segmenter: Segmenter,
    training: Dataset,
    validate: Callable[[Predictor], Evaluation],
    place: RankInfo | None = None,
    data_key: str = "",
    class_statistics: ClassStatistics | None = None,
) -> Assembly:
    """Put a run together on the device of this process.

    Args:
        config: The run.
        plan: What was `auto` in it.
        segmenter: Its network, with the weights to start from.
        training: What it learns from.
        validate: Scores a predictor.
        place: Of this process among those that share each step; none for a run of one.
        data_key: What tells the training data from others.
        class_statistics: Of the training images, as `factory.class_statistics` counts them where
            the run needs them.

    Raises:
        InputError: If there are too few devices for the processes of this machine, what the config
            says of the classes does not fit them, or a batch norm would see single values.
    """
    place = place or RankInfo()
    precision = _precision_plugin(plan)
    labels = training.labels
    loss = config.loss.build(labels)
    _check_batch_norm(config, plan, segmenter, loss)
    in_parts = plan.accumulation > 1
    has_unused = in_parts and place.world_size > 1 and has_unused_parameters(segmenter, loss)
    # Fabric looks at it, and on the CPU it would change products where the processor has TF32.
    if plan.device.type == "cuda":
        allow_tf32()
    fabric = fabric_of(place, plan.device, precision, is_static=not in_parts, has_unused=has_unused)
    if plan.device.type == "cpu":
        keep_freed_memory()
    if place.world_size > 1 and config.training.sync_batch_norm:
        synchronise_(segmenter, fabric.device)
    segmenter = factory.on_device(segmenter, fabric.device, plan.memory_format)
    factors = factory.sampling(config.sampling, class_statistics)
    mixing = factory.mixing(config.transform, training, factors, class_statistics)
    transform = factory.transform(
        config.transform, config.seed, fabric.device, labels, config.training.epochs, mixing
    )
    loader = Loader(
        dataset=training,
        transform=transform,
        seed=config.seed,
        batch_size=plan.batch_size // place.world_size,
        threads=plan.threads,
        rank=place.rank,
        world_size=place.world_size,
        factors=factors,
    )
    decay = config.training.ema
    total_steps = config.training.epochs * loader.steps_per_epoch
    state = TrainState(
        segmenter=segmenter,
        # The scaler of fp16 would have to leave clipping to a fused optimizer.
        optimizer=factory.optimizer(config.optimizer, segmenter, fused=plan.precision != "fp16"),
        schedule=Schedule(config.schedule, total_steps),
        precision=precision,
        sums=EpochSums.zeros(labels.num_classes, fabric.device),
        data_key=data_key,
        average=WeightAverage(segmenter, decay) if decay else None,
    )
    predictor = factory.predictor(
        state.kept, labels, config.inference, plan.precision, fabric.device
    )
    network: nn.Module = segmenter
    if plan.compiled:
        if transform.size_schedule:
            from torch._dynamo import config as dynamo

            # Each size may be compiled by itself, and those of two parts of a batch may differ.
            # PyTorch 2.6 knows the limit by this name alone.
            limit = max(dynamo.cache_size_limit, 2 * len(transform.size_schedule.sizes))
            dynamo.cache_size_limit = limit
        network = compiled(segmenter)
        # It already works piece by piece, and would only break the graph in more places.
        loss.forward = cast("Any", torch.compiler.disable(loss.forward))
    model, optimizer = fabric.setup(network, state.optimizer)
    job = Job(
        fabric=fabric,
        model=model,
        optimizer=optimizer,
        loss=loss,
        loader=loader,
        ignore_index=labels.ignore_index,
        validate=lambda: validate(predictor),
        epochs=config.training.epochs,
        validate_every=config.training.validate_every,
        clip_norm=config.training.clip_norm,
        seed=config.seed,
        accumulation=plan.accumulation,
        patience=config.training.patience,
    )
    return Assembly(state, job, predictor)


def _check_batch_norm(config: RunConfig, plan: Plan, segmenter: Segmenter, loss: Loss) -> None:
    """Refuse a run in which a batch norm would have a single value per channel to normalise.

    Raises:
        InputError: If there is one.
    """
    is_synchronised = plan.processes > 1 and config.training.sync_batch_norm
    # The smallest part of a batch that is normalised by itself.
    if plan.batch_size // plan.processes // plan.accumulation > 1 or is_synchronised:
        return
    transform = config.transform
    field, side = "transform.size", transform.start_size
    if transform.progressive_resizing:
        field = "transform.progressive_resizing.start_size"
    found = single_value_norms(segmenter, loss, side)
    if not found:
        return
    fixes = [f"training.batch_size={2 * plan.accumulation * plan.processes}"]
    if plan.accumulation > 1:
        fixes.append("a smaller training.accumulation")
    if plan.processes > 1:
        fixes.append("training.sync_batch_norm=true")
    if not single_value_norms(segmenter, loss, 2 * side):
        fixes.append(f"a larger {field}")
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    raise InputError(
        f"training.batch_size: with one image at a time, {field} {side}, the batch norm {found[0]}"
        f"{more} would have a single value per channel, which has no variance; use "
        f"{' or '.join([*fixes, *_other_norms(config.model, found)])}"
    )


def _other_norms(config: ModelSettings, names: list[str]) -> list[str]:
    """Say which setting replaces the batch norms of these names, if one replaces all of them."""
    in_encoder = [name.startswith("network.encoder.") for name in names]
    if not any(in_encoder):
        return ["model.normalization=group"]
    # Without weights to start from there are no running statistics to stay with.
    return ["model.freeze_norm=true"] if all(in_encoder) and config.weights != "none" else []


def _precision_plugin(plan: Plan) -> MixedPrecision | None:
    match plan.precision:
        case "bf16":
            return MixedPrecision("bf16-mixed", plan.device.type)
        case "fp16":
            return MixedPrecision("16-mixed", plan.device.type)
        case "fp32":
            return None
        case _:
            assert_never(plan.precision)
