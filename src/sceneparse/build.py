"""The composition root: from a config to finished objects. The only place where parts meet."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, assert_never

import torch

from sceneparse.config import (
    Adam,
    AdamW,
    Ade20kData,
    Constant,
    DataConfig,
    EncoderUNetModel,
    FolderData,
    InferenceConfig,
    LossConfig,
    ModelConfig,
    OneCycle,
    OptimizerConfig,
    Plateau,
    ScheduleConfig,
    Sgd,
    SyntheticData,
    TransformConfig,
    UNetModel,
)
from sceneparse.data.ade20k import ade20k
from sceneparse.data.dataset import Dataset
from sceneparse.data.folder import folder
from sceneparse.data.synthetic import synthetic
from sceneparse.data.transforms import Augmentation, Transform
from sceneparse.inference.backends.torch import TorchBackend
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize
from sceneparse.labels import Labels
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet
from sceneparse.optimization import schedule as schedules
from sceneparse.optimization.parameters import parameter_groups

Precision = Literal["bf16", "fp16", "fp32"]


def dataset(config: DataConfig, split: str, root: Path | None = None) -> Dataset:
    """Open one split of a data set.

    Args:
        config: Which data set.
        split: `training` or `validation`, or another that the data set has.
        root: Another folder than the one that the config names.

    Raises:
        InputError: If the files are not as they should be.
    """
    if root is not None:
        root = root.expanduser()
    match config:
        case Ade20kData():
            limits = {"training": config.training_limit, "validation": config.validation_limit}
            return ade20k(root or config.root.expanduser(), split).limited(
                None if root else limits.get(split)
            )
        case FolderData():
            return folder(root or config.root.expanduser(), split, config.validation_share)
        case SyntheticData():
            if root is not None:
                return ade20k(root, split)
            training = split == "training"
            images = config.training_images if training else config.validation_images
            return synthetic(split, images, (config.height, config.width), config.seed)
        case _:
            assert_never(config)


def segmenter(config: ModelConfig, num_classes: int) -> Segmenter:
    """Make a network with its normalisation.

    Raises:
        InputError: If an encoder or its weights cannot be had.
    """
    match config:
        case UNetModel():
            return Segmenter(UNet(num_classes, config.width, norm=config.normalization))
        case EncoderUNetModel():
            encoder = Encoder(config.encoder, config.weights)
            network = EncoderUNet(
                encoder,
                num_classes,
                config.decoder_channels,
                config.output_stride,
                config.normalization,
            )
            return Segmenter(network, encoder.mean, encoder.std)
        case _:
            assert_never(config)


def on_device(segmenter: Segmenter, device: torch.device) -> Segmenter:
    """Move a network to a device, channels last: the layout in which convolutions are fastest."""
    segmenter = segmenter.to(device)
    # The stubs of `Module.to` know no call with a memory format alone.
    return segmenter.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def untrained(config: ModelConfig) -> ModelConfig:
    """Return the config of the same network without weights to start from."""
    if isinstance(config, EncoderUNetModel):
        return config.model_copy(update={"weights": "none"})
    return config


def transform(config: TransformConfig, seed: int) -> Transform:
    """Make what training does to each picture."""
    augmentation = Augmentation(
        crop=config.crop,
        aspect=config.aspect,
        flip=config.flip,
        brightness=config.brightness,
        contrast=config.contrast,
        saturation=config.saturation,
    )
    return Transform(config.size, augmentation, seed)


def loss(config: LossConfig, labels: Labels) -> CrossEntropy:
    """Make what training minimises."""
    return CrossEntropy(labels.ignore_index, config.label_smoothing, in_strips=config.in_strips)


def optimizer(config: OptimizerConfig, segmenter: Segmenter) -> torch.optim.Optimizer:
    """Make the optimizer of a network's parameters."""
    groups = parameter_groups(segmenter, config.lr, config.weight_decay, config.encoder_factor)
    match config:
        case Adam():
            return torch.optim.Adam(groups)
        case AdamW():
            return torch.optim.AdamW(groups)
        case Sgd():
            return torch.optim.SGD(groups, momentum=config.momentum, nesterov=config.momentum > 0)
        case _:
            assert_never(config)


def schedule(config: ScheduleConfig, total_steps: int) -> schedules.Schedule:
    """Make the learning-rate schedule of a run."""
    match config:
        case Constant():
            return schedules.Constant()
        case Plateau():
            return schedules.Plateau(config.factor, config.patience)
        case OneCycle():
            return schedules.OneCycle(total_steps, config.warmup, config.start, config.end)
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
    )
    return Predictor(backend, labels, resize(inference))


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
