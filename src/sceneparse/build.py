"""The composition root: from a config to finished objects. The only place where parts meet."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, assert_never

import torch

from sceneparse.build_loss import loss as loss  # noqa: PLC0414 - so it is one of this module
from sceneparse.config import (
    Adam,
    AdamW,
    Ade20kData,
    CacheChoice,
    Constant,
    Cosine,
    DataConfig,
    DenseCrfRefinement,
    EncoderUNetModel,
    FolderData,
    GuidedFilterRefinement,
    InferenceConfig,
    ModelConfig,
    NoRefinement,
    OneCycle,
    OptimizerConfig,
    Plateau,
    Poly,
    ScheduleConfig,
    Sgd,
    SyntheticData,
    UNetModel,
)
from sceneparse.data.ade20k import ade20k
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.folder import folder
from sceneparse.data.packed import Packed, open_packed
from sceneparse.data.packed_format import default_folder, renewing_command
from sceneparse.data.synthetic import synthetic
from sceneparse.errors import InputError
from sceneparse.inference.backend import Backend
from sceneparse.inference.backends.torch import TorchBackend
from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.guided_filter import GuidedFilter
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.refinement import Refinement
from sceneparse.inference.resize import Resize
from sceneparse.inference.views import views_of
from sceneparse.labels import Labels
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import DecoderOptions, EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.stages import encoder_stages
from sceneparse.models.unet import UNet
from sceneparse.optimization import schedule as schedules
from sceneparse.optimization.parameters import parameter_groups
from sceneparse.published import published_split

Precision = Literal["bf16", "fp16", "fp32"]


def dataset(
    config: DataConfig, split: str, root: Path | None = None, *, to_learn: bool = False
) -> Dataset:
    """Open one split of a data set.

    Args:
        config: Which data set.
        split: `training` or `validation`, or another that the data set has.
        root: Another folder than the one that the config names.
        to_learn: Whether it is to be learned from: a cache that the config names must then be
            there, and may hold reduced pictures, which would change a score.

    Raises:
        InputError: If the files are not as they should be.
    """
    if root is not None:
        root = root.expanduser()
    match config:
        case Ade20kData():
            limits = {"training": config.training_limit, "validation": config.validation_limit}
            limit = None if root else limits.get(split)
            root = root or config.root.expanduser()
            files = ade20k(root, split).limited(limit)
            return cached(files, config.cache, root, split, to_learn=to_learn)
        case FolderData():
            root = root or config.root.expanduser()
            files = folder(root, split, config.validation_share)
            return cached(files, config.cache, root, split, to_learn=to_learn)
        case SyntheticData():
            if root is not None:
                return ade20k(root, split)
            training = split == "training"
            images = config.training_images if training else config.validation_images
            return synthetic(split, images, (config.height, config.width), config.seed)
        case _:
            limits = {"training": config.training_limit, "validation": config.validation_limit}
            limit = None if root else limits.get(split)
            root = root or config.root.expanduser()
            files = published_split(config, split, root).limited(limit)
            return cached(files, config.cache, root, split, to_learn=to_learn)


def cached(
    files: PairedFiles, choice: CacheChoice, root: Path, split: str, *, to_learn: bool
) -> PairedFiles | Packed:
    """Return a data set that reads from its cache, or the files themselves where none fits.

    Raises:
        InputError: If a cache is to be learned from that is not there.
    """
    if choice == "off":
        return files
    named = choice.expanduser() if isinstance(choice, Path) else None
    packed = open_packed(files, root, named or default_folder(root))
    if named and to_learn and (packed is None or not packed.held):
        raise InputError(
            f"{named}: no cache of these {split} pictures; make it with "
            f"`{renewing_command(root, named, None)}`, or set data.cache=auto"
        )
    if packed is None:
        return files
    # Reduced pictures are never used unasked, nor for a score: the truth's own size counts there.
    fits = packed.short_side is None or (named is not None and to_learn)
    return packed if fits else files


def segmenter(config: ModelConfig, num_classes: int) -> Segmenter:
    """Make a network with its normalisation.

    Weights of a whole other model are put into it by `loading.segmenter_to_train`.

    Raises:
        InputError: If an encoder or its weights cannot be had.
    """
    if config.weights not in ("imagenet", "none"):
        raise ValueError(f"the weights of {config.weights} are not read here")
    match config:
        case UNetModel():
            return Segmenter(UNet(num_classes, config.width, norm=config.normalization))
        case EncoderUNetModel():
            encoder = Encoder(
                config.encoder, "imagenet" if config.weights == "imagenet" else "none"
            )
            encoder.fix(config.freeze_stages, norm=config.freeze_norm)
            network = EncoderUNet(
                encoder,
                num_classes,
                config.decoder_channels,
                config.output_stride,
                config.normalization,
                DecoderOptions(
                    block=config.block,
                    attention=config.attention,
                    pyramid_pooling=config.pyramid_pooling,
                    deep_supervision=config.deep_supervision,
                    dropout=config.dropout,
                ),
            )
            return Segmenter(network, encoder.mean, encoder.std)
        case _:
            assert_never(config)


def on_device(
    segmenter: Segmenter,
    device: torch.device,
    memory_format: Literal["channels_last", "contiguous"] = "channels_last",
) -> Segmenter:
    """Move a network to a device, in the memory layout in which its convolutions are fastest."""
    layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
    return segmenter.to(device).laid_out(layouts[memory_format])


def untrained(config: ModelConfig) -> ModelConfig:
    """Return the config of the same network without weights to start from: nothing is read."""
    return config.model_copy(update={"weights": "none"})


def deployed(config: ModelConfig) -> ModelConfig:
    """Return the config of the same network without what only training needs."""
    config = untrained(config)
    if isinstance(config, EncoderUNetModel):
        idle = {"deep_supervision": 0.0, "dropout": 0.0, "freeze_stages": 0, "freeze_norm": False}
        return config.model_copy(update=idle)
    return config


def optimizer(
    config: OptimizerConfig, segmenter: Segmenter, *, fused: bool = False
) -> torch.optim.Optimizer:
    """Make the optimizer of a network's parameters, which are on their device.

    Args:
        config: Which one.
        segmenter: The network.
        fused: Update all that an optimizer keeps of a weight in one pass over memory.
    """
    groups = parameter_groups(
        segmenter,
        config.lr,
        config.weight_decay,
        config.encoder_factor,
        config.layer_decay,
        encoder_stages(segmenter.network) if config.layer_decay < 1 else (),
    )
    match config:
        case Adam():
            return torch.optim.Adam(groups, fused=fused)
        case AdamW():
            return torch.optim.AdamW(groups, fused=fused)
        case Sgd():
            nesterov = config.momentum > 0
            return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, fused=fused)
        case _:
            assert_never(config)


def schedule(config: ScheduleConfig, total_steps: int) -> schedules.Schedule:
    """Make the learning-rate schedule of a run."""
    match config:
        case OneCycle():
            return schedules.OneCycle(total_steps, config.warmup, config.start, config.end)
        case Constant() | Plateau() | Poly() | Cosine():
            rising = round(config.warmup * total_steps)
            return schedules.WarmUp(_after_warm_up(config, total_steps - rising), rising)
        case _:
            assert_never(config)


def _after_warm_up(config: Constant | Plateau | Poly | Cosine, steps: int) -> schedules.Schedule:
    match config:
        case Constant():
            return schedules.Constant()
        case Plateau():
            return schedules.Plateau(config.factor, config.patience)
        case Poly():
            return schedules.Poly(steps, config.power, config.end)
        case Cosine():
            return schedules.Cosine(steps, config.end)
        case _:
            assert_never(config)


def predictor(
    segmenter: Segmenter,
    labels: Labels,
    inference: InferenceConfig,
    precision: Precision,
    device: torch.device,
) -> Predictor:
    """Make the way from pixels to mask around a network that is on its device."""
    backend = TorchBackend(
        segmenter,
        labels,
        (segmenter.network.input_stride, segmenter.network.output_stride),
        device,
        partial(autocast, precision, device),
        inference.memory_budget_mb,
    )
    return predictor_around(backend, labels, inference)


def predictor_around(backend: Backend, labels: Labels, inference: InferenceConfig) -> Predictor:
    """Make the way from pixels to mask around a network in whatever runtime."""
    return Predictor(
        backend,
        labels,
        resize(inference),
        inference.batch_size,
        views_of(inference.scales, flip=inference.flip),
        refinement(inference, backend.output_stride),
    )


def refinement(config: InferenceConfig, stride: int) -> Refinement | None:
    """Make what follows the edges of a photo, for a network with this output stride."""
    most_bytes = config.memory_budget_mb * 2**20
    match config.refine:
        case NoRefinement():
            return None
        case GuidedFilterRefinement(radius=radius, epsilon=epsilon):
            return GuidedFilter(radius, epsilon, most_bytes)
        case DenseCrfRefinement() as crf:
            fields = crf.model_dump(exclude={"kind"})
            return DenseCrf(stride=stride, most_bytes=most_bytes, **fields)
        case _:
            assert_never(config.refine)


def resize(config: InferenceConfig) -> Resize:
    """Make the rule by which pictures are sized for the network."""
    return Resize(config.resize, config.size, config.overlap)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Make the context in which a network runs in a precision."""
    match precision:
        case "bf16":
            return torch.autocast(device.type, torch.bfloat16)
        case "fp16":
            return torch.autocast(device.type, torch.float16)
        case "fp32":
            return nullcontext()
        case _:
            assert_never(precision)
