"""Networks: with weights to start from, without, and on their device."""

from typing import Literal, assert_never

import torch

from sceneparse.config import (
    EncoderUNetModel,
    ModelConfig,
    UNetModel,
)
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import DecoderOptions, EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet

# What only training needs.
_IDLE = {
    "dropout": 0.0,
    "drop_path": 0.0,
    "freeze_stages": 0,
    "freeze_norm": False,
}


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
                config.encoder,
                "imagenet" if config.weights == "imagenet" else "none",
                config.drop_path,
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
                    dropout=config.dropout,
                    head_levels=config.head_levels,
                ),
            )
            return Segmenter(network, encoder.mean, encoder.std)
        case _:
            assert_never(config)


def untrained(config: ModelConfig) -> ModelConfig:
    """Return the config of the same network without weights to start from: nothing is read."""
    return config.model_copy(update={"weights": "none"})


def deployed(config: ModelConfig) -> ModelConfig:
    """Return the config of the same network without what only training needs."""
    config = untrained(config)
    if isinstance(config, EncoderUNetModel):
        return config.model_copy(update=_IDLE)
    return config


def on_device(
    segmenter: Segmenter,
    device: torch.device,
    memory_format: Literal["channels_last", "contiguous"] = "channels_last",
) -> Segmenter:
    """Move a network to a device, in the memory layout in which its convolutions are fastest."""
    layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
    return segmenter.to(device).to_memory_format(layouts[memory_format])
