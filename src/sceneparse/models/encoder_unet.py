"""A U-Net decoder over any encoder."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.models.block import Block
from sceneparse.models.encoder import Encoder
from sceneparse.models.normalization import Normalization
from sceneparse.models.separable import separable_double_conv
from sceneparse.models.unet import double_conv

Convolutions = Literal["plain", "separable"]


@dataclass(frozen=True)
class DecoderOptions:
    """What a decoder has beyond the paper's.

    Attributes:
        block: Kind of the two convolutions in each block.
        dropout: Probability that a channel is hidden from the head in training.
        head_levels: How many levels the head sees, the finest first, coarser ones upsampled to it.
    """

    block: Convolutions = "plain"
    dropout: float = 0.0
    head_levels: int = 1


class DecoderBlock(nn.Module):
    """Upsample, concatenate with the skip where the encoder has one, convolve twice."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        norm: Normalization,
        options: DecoderOptions,
    ) -> None:
        super().__init__()
        match options.block:
            case "plain":
                convolutions = double_conv
            case "separable":
                convolutions = separable_double_conv
            case _:
                assert_never(options.block)
        self.conv = convolutions(in_channels + skip_channels, out_channels, out_channels, norm)

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

    def __init__(
        self,
        encoder: Encoder,
        num_classes: int,
        decoder_channels: Sequence[int],
        output_stride: int,
        norm: Normalization = "batch",
        options: DecoderOptions | None = None,
    ) -> None:
        """Build the decoder and the head.

        Args:
            encoder: The pyramid.
            num_classes: Channels of the logits.
            decoder_channels: Width of each decoder block, deepest first; blocks beyond
                `output_stride` are not built, and the last width serves any that are not given.
            output_stride: 1, 2, 4 or 8.
            norm: What normalises in the decoder; the encoder keeps what its weights were made with.
            options: What else the decoder has; none for nothing.

        Raises:
            InputError: If the head is to see more levels than the decoder has.
        """
        super().__init__()
        self.options = options = options or DecoderOptions()
        self.encoder = encoder
        self.input_stride = encoder.strides[-1]
        self.output_stride = output_stride
        skips = dict(zip(encoder.strides, encoder.channels, strict=True))
        self.skip_strides: list[int] = []
        channels, stride = encoder.channels[-1], encoder.strides[-1]
        self.decoder = nn.ModuleList()
        widths = itertools.chain(decoder_channels, itertools.repeat(decoder_channels[-1]))
        built: list[int] = []
        while stride > output_stride:
            stride //= 2
            width = next(widths)
            self.decoder.append(DecoderBlock(channels, skips.get(stride, 0), width, norm, options))
            self.skip_strides.append(stride)
            built.append(width)
            channels = width
        if options.head_levels > len(built):
            raise InputError(
                f"model.head_levels: found {options.head_levels}, expected at most {len(built)}, "
                f"the levels of the decoder from stride {self.input_stride} to {output_stride}"
            )
        self.head_channels = tuple(built[: -options.head_levels - 1 : -1])
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
        finest, *coarser = reversed(decoded[-self.options.head_levels :])
        raised = [F.interpolate(one, size=finest.shape[2:], mode="bilinear") for one in coarser]
        seen = torch.cat([finest, *raised], dim=1) if raised else finest
        if self.options.dropout:
            seen = F.dropout2d(seen, self.options.dropout, self.training)
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
