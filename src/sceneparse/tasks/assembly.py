"""From a config and a settings to a run that can do steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from torch import nn
from torch.amp import GradScaler

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.class_statistics import ClassStatistics
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Loader
from sceneparse.inference.evaluate import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.models.normalization import synchronise_
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.average import WeightAverage
from sceneparse.system.device import allow_tf32, keep_freed_memory
from sceneparse.system.ranks import RankInfo
from sceneparse.training.auto import RuntimeSettings
from sceneparse.training.batch_norm_check import check_batch_norm
from sceneparse.training.compilation import compiled
from sceneparse.training.distributed import data_parallel, device_of
from sceneparse.training.loop import Job
from sceneparse.training.parts import has_unused_parameters
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
    settings: RuntimeSettings,
    segmenter: Segmenter,
    training: Dataset,
    validate: Callable[[Predictor], Evaluation],
    rank_info: RankInfo | None = None,
    data_key: str = "",
    class_statistics: ClassStatistics | None = None,
) -> Assembly:
    """Put a run together on the device of this process.

    Args:
        config: The run.
        settings: What was `auto` in it.
        segmenter: Its network, with the weights to start from.
        training: What it learns from.
        validate: Scores a predictor.
        rank_info: Rank of this process; `None` for a run of one process.
        data_key: What tells the training data from others.
        class_statistics: Of the training images, as `factory.class_statistics` counts them where
            the run needs them.

    Raises:
        InputError: If there are too few devices for the processes of this machine, what the config
            says of the classes does not fit them, or a batch norm would see single values.
    """
    rank_info = rank_info or RankInfo()
    labels = training.labels
    loss = factory.loss(config.loss, labels)
    check_batch_norm(config, settings, segmenter, loss)
    in_parts = settings.accumulation > 1
    has_unused = in_parts and rank_info.world_size > 1 and has_unused_parameters(segmenter, loss)
    device = device_of(rank_info, settings.device.type)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # Not on the CPU: some processors have TF32 too.
        allow_tf32()
    if device.type == "cpu":
        keep_freed_memory()
    if rank_info.world_size > 1 and config.training.sync_batch_norm:
        synchronise_(segmenter, device)
    segmenter = factory.on_device(segmenter, device, settings.memory_format)
    factors = factory.sampling(config.sampling, class_statistics)
    mixing = factory.mixing(config.transform, training, factors, class_statistics)
    transform = factory.transform(config.transform, config.seed, device, labels, mixing)
    growth = factory.growth(config.transform, config.training.epochs)
    loader = Loader(
        dataset=training,
        transform=replace(transform, growth=growth),
        seed=config.seed,
        batch_size=settings.batch_size // rank_info.world_size,
        threads=settings.threads,
        rank=rank_info.rank,
        processes=rank_info.world_size,
        factors=factors,
    )
    decay = config.training.ema
    total_steps = config.training.epochs * loader.steps_per_epoch
    state = TrainState(
        segmenter=segmenter,
        # The scaler of fp16 would have to leave clipping to a fused optimizer.
        optimizer=factory.optimizer(
            config.optimizer, segmenter, fused=settings.precision != "fp16"
        ),
        schedule=factory.schedule(config.schedule, total_steps),
        scaler=GradScaler(device.type, enabled=settings.precision == "fp16"),
        sums=EpochSums.zeros(labels.num_classes, device),
        data_key=data_key,
        average=WeightAverage(segmenter, decay) if decay else None,
    )
    predictor = factory.predictor(state.kept, labels, config.inference, settings.precision, device)
    model: nn.Module = segmenter
    if rank_info.world_size > 1:
        model = data_parallel(
            segmenter, device, static_graph=not in_parts, find_unused_parameters=has_unused
        )
    if settings.compiled:
        if growth:
            from torch._dynamo import config as dynamo

            # Each size may be compiled by itself, and those of two parts of a batch may differ.
            # PyTorch 2.6 knows the limit by this name alone.
            limit = max(dynamo.cache_size_limit, 2 * len(growth.sizes))
            dynamo.cache_size_limit = limit
        model = compiled(model)
        # It already works piece by piece, and would only break the graph in more places.
        loss.forward = cast("Any", torch.compiler.disable(loss.forward))
    job = Job(
        settings=settings,
        rank_info=rank_info,
        device=device,
        model=model,
        loss=loss,
        loader=loader,
        ignore_index=labels.ignore_index,
        validate=lambda: validate(predictor),
        epochs=config.training.epochs,
        validate_every=config.training.validate_every,
        clip_norm=config.training.clip_norm,
        seed=config.seed,
        patience=config.training.patience,
    )
    return Assembly(state, job, predictor)
