"""A U-Net decoder over any encoder."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.block import Block
from sceneparse.models.encoder import Encoder
from sceneparse.models.normalization import Normalization
from sceneparse.models.unet import double_conv


class DecoderBlock(nn.Module):
    """Upsample, concatenate with the skip where the encoder has one, convolve twice."""

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, norm: Normalization
    ) -> None:
        super().__init__()
        self.conv = double_conv(in_channels + skip_channels, out_channels, out_channels, norm)

    def forward(self, features: Tensor, skip: Tensor | None) -> Tensor:
        """Join features `(B, D, h, w)` with a skip `(B, S, 2h, 2w)`; without one just upsample."""
        size = skip.shape[2:] if skip is not None else [2 * side for side in features.shape[2:]]
        features = F.interpolate(features, size=size, mode="bilinear")
        return self.conv(features if skip is None else torch.cat([skip, features], dim=1))


class EncoderUNet(nn.Module):
    """U-Net decoder over a timm pyramid; each skip is joined at its own size.

    The decoder goes up in steps of two from the deepest stage to `output_stride`; at a stride where
    the encoder has no stage (stride 2 of ConvNeXt, stride 1 of most) it upsamples without a skip.

    Attributes:
        input_stride: Height and width of the input must be multiples of this.
        output_stride: Pixels of input per cell of `features`: 1, 2 or 4.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_classes: int,
        decoder_channels: Sequence[int],
        output_stride: int,
        norm: Normalization = "batch",
    ) -> None:
        """Build the decoder and the head.

        Args:
            encoder: The pyramid.
            num_classes: Channels of the logits.
            decoder_channels: Width of each decoder block, deepest first; blocks beyond
                `output_stride` are not built, and the last width serves any that are not given.
            output_stride: 1, 2 or 4.
            norm: What normalises in the decoder; the encoder keeps what its weights were made with.
        """
        super().__init__()
        self.encoder = encoder
        self.input_stride = encoder.strides[-1]
        self.output_stride = output_stride
        skips = dict(zip(encoder.strides, encoder.channels, strict=True))
        self.skip_strides: list[int] = []
        self.decoder = nn.ModuleList()
        channels, stride = encoder.channels[-1], encoder.strides[-1]
        widths = itertools.chain(decoder_channels, itertools.repeat(decoder_channels[-1]))
        while stride > output_stride:
            stride //= 2
            width = next(widths)
            self.decoder.append(DecoderBlock(channels, skips.get(stride, 0), width, norm))
            self.skip_strides.append(stride)
            channels = width
        self.head = nn.Conv2d(channels, num_classes, 1)

    def features(self, image: Tensor) -> Tensor:
        """Compute `(B, D, H / output_stride, W / output_stride)` of a normalised image."""
        stages = dict(zip(self.encoder.strides, self.encoder(image), strict=True))
        features = stages[self.encoder.strides[-1]]
        for block, stride in zip(self.decoder, self.skip_strides, strict=True):
            features = block(features, stages.get(stride))
        return features

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits `(B, num_classes, H / s, W / s)` at the output stride s."""
        return self.head(self.features(image))

    def blocks(self) -> list[Block]:
        """Describe the network as built, from the image to the head."""
        encoder = self.encoder
        names = {stride: f"encoder stage {stride}" for stride in encoder.strides}
        blocks: list[Block] = []
        channels = 3
        for stride, width in zip(encoder.strides, encoder.channels, strict=True):
            blocks.append(Block(names[stride], channels, width, stride))
            channels = width
        for number, (block, stride) in enumerate(
            zip(self.decoder, self.skip_strides, strict=True), start=1
        ):
            layers = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
            widths = (layers[0].in_channels, layers[-1].out_channels)
            blocks.append(Block(f"decoder {number}", *widths, stride, names.get(stride)))
        head = (self.head.in_channels, self.head.out_channels)
        return [*blocks, Block("head", *head, self.output_stride)]
