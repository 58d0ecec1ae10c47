"""A U-Net decoder over any timm encoder."""

import itertools
from collections.abc import Sequence
from typing import assert_never, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.models.convolutions import double_conv, separable_double_conv
from sceneparse.models.encoder import Encoder
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.models.structure import NetworkBlock


class DecoderBlock(nn.Module):
    """Upsample the features, concatenate the skip connection if there is one, convolve twice."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        settings: EncoderUNetModel,
    ) -> None:
        super().__init__()
        match settings.block:
            case "plain":
                make_convs = double_conv
            case "separable":
                make_convs = separable_double_conv
            case _:
                assert_never(settings.block)
        self.conv = make_convs(
            in_channels + skip_channels, out_channels, out_channels, settings.normalization
        )

    def forward(self, features: Tensor, skip: Tensor | None) -> Tensor:
        """Compute `(B, out_channels, 2h, 2w)`.

        Args:
            features: Output of the deeper level, `(B, D, h, w)`.
            skip: Output of the encoder stage at the same stride, `(B, S, 2h, 2w)`, if there is one.
        """
        size = skip.shape[2:] if skip is not None else [2 * side for side in features.shape[2:]]
        features = F.interpolate(features, size=size, mode="bilinear")
        return self.conv(features if skip is None else torch.cat([skip, features], dim=1))


class EncoderUNet(nn.Module):
    """U-Net decoder over a timm encoder.

    Each decoder level halves the stride, from the deepest encoder stage to `output_stride`. A
    stride at which the encoder has no stage (2 in ConvNeXt, 1 in most) has no skip connection.

    Attributes:
        input_stride: Height and width of the input must be multiples of it.
        output_stride: Stride of `features`: 1, 2, 4 or 8.
        head_channels: Input channels of the head from each decoder level, the finest first.
    """

    def __init__(self, settings: EncoderUNetModel, encoder: Encoder, num_classes: int) -> None:
        """Build the decoder and the head.

        Args:
            settings: Widths and options of the decoder. Widths beyond its output stride are
                ignored; if there are too few, the last one is repeated.
            encoder: The encoder.
            num_classes: Channels of the logits.

        Raises:
            InputError: If `head_levels` is above the number of decoder levels.
        """
        super().__init__()
        self.settings = settings
        output_stride, head_levels = settings.output_stride, settings.head_levels
        self.encoder = encoder
        self.input_stride = encoder.strides[-1]
        self.output_stride = output_stride
        skips = dict(zip(encoder.strides, encoder.channels, strict=True))
        self.skip_strides: list[int] = []
        channels, stride = encoder.channels[-1], encoder.strides[-1]
        self.decoder = nn.ModuleList()
        decoder_channels = settings.decoder_channels
        widths = itertools.chain(decoder_channels, itertools.repeat(decoder_channels[-1]))
        level_channels: list[int] = []
        while stride > output_stride:
            stride //= 2
            width = next(widths)
            self.decoder.append(DecoderBlock(channels, skips.get(stride, 0), width, settings))
            self.skip_strides.append(stride)
            level_channels.append(width)
            channels = width
        if head_levels > len(level_channels):
            raise InputError(
                f"model.head_levels: found {head_levels}, expected at most {len(level_channels)}, "
                f"the decoder levels from stride {self.input_stride} to {output_stride}"
            )
        self.head_channels = tuple(level_channels[: -head_levels - 1 : -1])
        self.head = nn.Conv2d(sum(self.head_channels), num_classes, 1)

    def features(self, image: Tensor) -> Tensor:
        """Compute the input of the head from a normalised image `(B, C, H, W)`.

        Returns:
            Features `(B, D, H / output_stride, W / output_stride)`.
        """
        return self._head_input(self._decoder_outputs(image))

    def _decoder_outputs(self, image: Tensor) -> list[Tensor]:
        """Compute the deepest encoder stage and the output of each decoder level after it."""
        stages = dict(zip(self.encoder.strides, self.encoder(image), strict=True))
        features = stages[self.encoder.strides[-1]]
        outputs = [features]
        for block, stride in zip(self.decoder, self.skip_strides, strict=True):
            features = block(features, stages.get(stride))
            outputs.append(features)
        return outputs

    def _head_input(self, decoder_outputs: Sequence[Tensor]) -> Tensor:
        """Concatenate decoder levels (hypercolumns, Hariharan et al., 2015, arXiv 1411.5752)."""
        finest, *coarser = reversed(decoder_outputs[-self.settings.head_levels :])
        upsampled = [
            F.interpolate(level, size=finest.shape[2:], mode="bilinear") for level in coarser
        ]
        features = torch.cat([finest, *upsampled], dim=1) if upsampled else finest
        if self.settings.dropout:
            features = F.dropout2d(features, self.settings.dropout, self.training)
        return features

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits `(B, num_classes, H / s, W / s)` at the output stride s."""
        return self.head(self.features(image))

    def blocks(self) -> list[NetworkBlock]:
        """Describe the blocks of the network, from the image to the head."""
        return [*self._encoder_blocks(), *self._decoder_blocks(), self._head_block()]

    def _encoder_blocks(self) -> list[NetworkBlock]:
        encoder = self.encoder
        widths = [encoder.in_channels, *encoder.channels]
        return [
            NetworkBlock(_stage_name(stride), in_channels, out_channels, stride)
            for stride, (in_channels, out_channels) in zip(
                encoder.strides, itertools.pairwise(widths), strict=True
            )
        ]

    def _decoder_blocks(self) -> list[NetworkBlock]:
        blocks: list[NetworkBlock] = []
        for number, (module, stride) in enumerate(
            zip(self.decoder, self.skip_strides, strict=True), start=1
        ):
            block = cast("DecoderBlock", module)
            convs = [layer for layer in block.conv.modules() if isinstance(layer, nn.Conv2d)]
            skips = (_stage_name(stride),) if stride in self.encoder.strides else ()
            widths = (convs[0].in_channels, convs[-1].out_channels)
            blocks.append(NetworkBlock(f"decoder {number}", *widths, stride, skips))
        return blocks

    def _head_block(self) -> NetworkBlock:
        levels = len(self.decoder)
        coarser = [f"decoder {levels - offset}" for offset in range(1, len(self.head_channels))]
        widths = self.head.in_channels, self.head.out_channels
        return NetworkBlock("head", *widths, self.output_stride, tuple(coarser))


def _stage_name(stride: int) -> str:
    return f"encoder stage {stride}"
