"""A U-Net decoder over any encoder."""

import itertools
from collections.abc import Sequence
from typing import assert_never, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.models.block import Block
from sceneparse.models.encoder import Encoder
from sceneparse.models.separable import separable_double_conv
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.models.unet import double_conv


class DecoderBlock(nn.Module):
    """Upsample, concatenate with the skip where the encoder has one, convolve twice."""

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
                convolutions = double_conv
            case "separable":
                convolutions = separable_double_conv
            case _:
                assert_never(settings.block)
        self.conv = convolutions(
            in_channels + skip_channels, out_channels, out_channels, settings.normalization
        )

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
        output_stride: Pixels of input per cell of `features`: 1, 2, 4 or 8.
        head_channels: What the head sees of each level, the finest first.
    """

    def __init__(self, settings: EncoderUNetModel, encoder: Encoder, num_classes: int) -> None:
        """Build the decoder and the head.

        Args:
            settings: Widths and options of the decoder. Blocks beyond its output stride are not
                built, and the last width serves any that are not given.
            encoder: The pyramid.
            num_classes: Channels of the logits.

        Raises:
            InputError: If the head is to take more levels than the decoder has.
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
        given = settings.decoder_channels
        widths = itertools.chain(given, itertools.repeat(given[-1]))
        built: list[int] = []
        while stride > output_stride:
            stride //= 2
            width = next(widths)
            self.decoder.append(DecoderBlock(channels, skips.get(stride, 0), width, settings))
            self.skip_strides.append(stride)
            built.append(width)
            channels = width
        if head_levels > len(built):
            raise InputError(
                f"model.head_levels: found {head_levels}, expected at most {len(built)}, "
                f"the levels of the decoder from stride {self.input_stride} to {output_stride}"
            )
        self.head_channels = tuple(built[: -head_levels - 1 : -1])
        self.head = nn.Conv2d(sum(self.head_channels), num_classes, 1)

    def features(self, image: Tensor) -> Tensor:
        """Compute `(B, D, H / output_stride, W / output_stride)` of a normalised image."""
        return self._seen(self._decoded(image))

    def _decoded(self, image: Tensor) -> list[Tensor]:
        """Compute what goes into the decoder and what comes out of each block, deepest first."""
        stages = dict(zip(self.encoder.strides, self.encoder(image), strict=True))
        features = stages[self.encoder.strides[-1]]
        decoded = [features]
        for block, stride in zip(self.decoder, self.skip_strides, strict=True):
            features = block(features, stages.get(stride))
            decoded.append(features)
        return decoded

    def _seen(self, decoded: Sequence[Tensor]) -> Tensor:
        """Join what the head sees (Hariharan et al., 2015, Hypercolumns, arXiv 1411.5752)."""
        finest, *coarser = reversed(decoded[-self.settings.head_levels :])
        raised = [F.interpolate(one, size=finest.shape[2:], mode="bilinear") for one in coarser]
        seen = torch.cat([finest, *raised], dim=1) if raised else finest
        if self.settings.dropout:
            seen = F.dropout2d(seen, self.settings.dropout, self.training)
        return seen

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits `(B, num_classes, H / s, W / s)` at the output stride s."""
        return self.head(self.features(image))

    def blocks(self) -> list[Block]:
        """Describe the network as built, from the image to the head."""
        return [*self._encoder_blocks(), *self._decoder_blocks(), self._head_block()]

    def _encoder_blocks(self) -> list[Block]:
        encoder = self.encoder
        widths = [3, *encoder.channels]
        return [
            Block(_stage(stride), before, after, stride)
            for stride, (before, after) in zip(
                encoder.strides, itertools.pairwise(widths), strict=True
            )
        ]

    def _decoder_blocks(self) -> list[Block]:
        blocks: list[Block] = []
        for number, (module, stride) in enumerate(
            zip(self.decoder, self.skip_strides, strict=True), start=1
        ):
            block = cast("DecoderBlock", module)
            convs = [layer for layer in block.conv.modules() if isinstance(layer, nn.Conv2d)]
            skips = (_stage(stride),) if stride in self.encoder.strides else ()
            widths = (convs[0].in_channels, convs[-1].out_channels)
            blocks.append(Block(f"decoder {number}", *widths, stride, skips))
        return blocks

    def _head_block(self) -> Block:
        levels = len(self.decoder)
        coarser = [f"decoder {levels - back}" for back in range(1, len(self.head_channels))]
        widths = self.head.in_channels, self.head.out_channels
        return Block("head", *widths, self.output_stride, tuple(coarser))


def _stage(stride: int) -> str:
    return f"encoder stage {stride}"
