"""The setup of a run: from a config and its resolved settings to finished objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.amp import GradScaler

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.class_statistics import ClassStatistics
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Loader
from sceneparse.inference.evaluation import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.models.normalization import synchronise_batch_norms_
from sceneparse.models.segmenter import FeatureLoss, Segmenter
from sceneparse.optimization.ema import WeightEMA
from sceneparse.optimization.schedule import Schedule
from sceneparse.system.device import allow_tf32, keep_freed_memory
from sceneparse.system.ranks import RankInfo
from sceneparse.training.auto import RuntimeSettings
from sceneparse.training.batch_norm_check import check_batch_norm
from sceneparse.training.compilation import compiled
from sceneparse.training.distributed import data_parallel, device_of
from sceneparse.training.nonfinite import FiniteGuard
from sceneparse.training.parts import has_unused_parameters
from sceneparse.training.state import EpochSums, TrainState


@dataclass(frozen=True)
class TrainSetup:
    """Everything that does not change during a run; `TrainState` is what changes.

    Attributes:
        config: The config of the run.
        settings: Its resolved settings.
        rank_info: The rank of this process.
        device: The device of this process.
        model: The segmenter, wrapped in DDP and compiled as the settings say.
        loss: The training loss.
        loader: Training batches by step.
        predictor: Predicts with the network that is validated and saved, in its current state.
        validate: Scores a predictor on the validation split.
    """

    config: RunConfig
    settings: RuntimeSettings
    rank_info: RankInfo
    device: torch.device
    model: nn.Module
    loss: FeatureLoss
    loader: Loader
    predictor: Predictor
    validate: Callable[[Predictor], Evaluation]

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run."""
        return self.config.training.epochs * self.loader.steps_per_epoch

    def is_over(self, state: TrainState) -> bool:
        """Return whether all steps are done or early stopping ends the run."""
        training = self.config.training
        if state.step >= self.total_steps or training.patience is None:
            return state.step >= self.total_steps
        # The best epoch tells how many validations there have been since.
        validations = state.step // self.loader.steps_per_epoch // training.validate_every
        return validations - state.best_epoch // training.validate_every >= training.patience


def set_up_training(
    config: RunConfig,
    settings: RuntimeSettings,
    segmenter: Segmenter,
    training: Dataset,
    validate: Callable[[Predictor], Evaluation] | None = None,
    rank_info: RankInfo | None = None,
    data_key: str = "",
    class_statistics: ClassStatistics | None = None,
) -> tuple[TrainState, TrainSetup]:
    """Make the objects of a run on the device of this process.

    Args:
        config: The config of the run.
        settings: Its resolved settings.
        segmenter: The network with its initial weights, on the CPU.
        training: The training images.
        validate: Scores a predictor on the validation split; `None` for steps alone.
        rank_info: The rank of this process; `None` for a run of one process.
        data_key: Digest of the names and classes of the training data.
        class_statistics: Pixels per class in each training image, if the run needs them.

    Returns:
        The state before the first step, and the setup.

    Raises:
        InputError: If the machine has fewer devices than processes, the config does not fit the
            classes, or a batch norm would see a single value per channel.
    """
    rank_info = rank_info or RankInfo()
    labels = training.labels
    loss = config.loss.build(labels)
    check_batch_norm(config, settings, segmenter, loss)
    has_several = rank_info.world_size > 1
    in_parts = settings.accumulation > 1
    has_unused = has_several and in_parts and has_unused_parameters(segmenter, loss)

    device = device_of(rank_info, settings.device.type)
    _prepare(device)
    if has_several and config.training.sync_batch_norm:
        synchronise_batch_norms_(segmenter, device)
    segmenter = factory.on_device(segmenter, device, settings.memory_format)

    loader = _loader(config, settings, training, device, rank_info, class_statistics)
    decay = config.training.ema
    is_fp16 = settings.precision == "fp16"
    total_steps = config.training.epochs * loader.steps_per_epoch
    state = TrainState(
        segmenter=segmenter,
        # A fused optimizer unscales gradients in its step, which is too late to clip them.
        optimizer=factory.optimizer(config.optimizer, segmenter, fused=not is_fp16),
        schedule=Schedule(config.schedule, total_steps),
        scaler=GradScaler(device.type, enabled=is_fp16),
        sums=EpochSums.zeros(labels.num_classes, device),
        data_key=data_key,
        guard=FiniteGuard(segmenter, device),
        average=WeightEMA(segmenter, decay) if decay else None,
        parts=settings.accumulation,
    )

    model: nn.Module = segmenter
    if has_several:
        model = data_parallel(
            model, device, static_graph=not in_parts, find_unused_parameters=has_unused
        )
    if settings.compiled:
        sizes = config.transform.size_schedule(config.training.epochs)
        model = compiled(model, image_sizes=len(sizes.sizes) if sizes else 1)
        # The loss works in tiles already, and would only split the graph in more places.
        loss.forward = cast("Any", torch.compiler.disable(loss.forward))
    setup = TrainSetup(
        config=config,
        settings=settings,
        rank_info=rank_info,
        device=device,
        model=model,
        loss=loss,
        loader=loader,
        predictor=factory.predictor(
            state.kept,
            labels,
            config.inference,
            settings.precision,
            device,
            factory.image_reading(config),
        ),
        validate=validate or _never_validated,
    )
    return state, setup


def _never_validated(_: Predictor) -> Evaluation:
    raise RuntimeError("this setup was made for training steps alone")


def _prepare(device: torch.device) -> None:
    """Set what PyTorch and the allocator keep globally for a process that trains on a device."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # Not for the CPU, where the setting also changes products if the processor has TF32.
        allow_tf32()
    elif device.type == "cpu":
        keep_freed_memory()


def _loader(
    config: RunConfig,
    settings: RuntimeSettings,
    training: Dataset,
    device: torch.device,
    rank_info: RankInfo,
    class_statistics: ClassStatistics | None,
) -> Loader:
    """Make the loader of this process's share of each batch."""
    factors = factory.sampling(config.sampling, class_statistics)
    mixing = factory.mixing(config.transform, training, factors, class_statistics)
    transform = factory.transform(
        config.transform, config.seed, device, training.labels, config.training.epochs, mixing
    )
    return Loader(
        dataset=training,
        transform=transform,
        seed=config.seed,
        batch_size=settings.batch_size // rank_info.world_size,
        threads=settings.threads,
        rank=rank_info.rank,
        world_size=rank_info.world_size,
        factors=factors,
    )
