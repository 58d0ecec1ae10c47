"""Makes U-Net decoders with given settings."""

from typing import Any

from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.settings import EncoderUNetModel


def encoder_unet(
    encoder: Encoder,
    num_classes: int,
    decoder_channels: tuple[int, ...],
    output_stride: Any = 4,
    **fields: Any,
) -> EncoderUNet:
    """Make a decoder over an encoder; `fields` are further fields of its settings."""
    settings = EncoderUNetModel(
        decoder_channels=decoder_channels, output_stride=output_stride, **fields
    )
    return EncoderUNet(settings, encoder, num_classes)
