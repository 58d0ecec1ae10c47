"""The U-Net of Ronneberger et al. (2015), figure 1, with bilinear upsampling."""

import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.convolutions import ConcatConv2d, double_conv
from sceneparse.models.settings import NormalizationKind
from sceneparse.models.structure import NetworkBlock


def down_block(in_channels: int, out_channels: int, norm: NormalizationKind) -> nn.Sequential:
    """Make a 2×2 max pooling and a double convolution."""
    conv = double_conv(in_channels, out_channels, out_channels, norm)
    return nn.Sequential(nn.MaxPool2d(2), conv)


class UpBlock(nn.Module):
    """Upsample the features, concatenate the skip connection, convolve twice.

    The first convolution has half as many output channels as input channels.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: NormalizationKind) -> None:
        super().__init__()
        self.conv = double_conv(in_channels, in_channels // 2, out_channels, norm, ConcatConv2d)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Compute `(B, out_channels, H, W)`.

        Args:
            features: Output of the deeper level, `(B, D, h, w)`.
            skip: Output of the encoder, `(B, S, H, W)`; D + S = in_channels.
        """
        features = F.interpolate(features, size=skip.shape[2:], mode="bilinear")
        concat_conv, *layers = self.conv
        features = concat_conv(skip, features)
        for layer in layers:
            features = layer(features)
        return features


class UNet(nn.Module):
    """U-Net for semantic segmentation (Ronneberger et al., 2015, arXiv 1505.04597).

    It differs from figure 1 of the paper as most later work does. The convolutions are padded, so
    the output has the size of the input. Normalisation follows every convolution. The decoder
    upsamples bilinearly instead of by transposed convolution, which halves the width of the
    bottleneck. With 64 channels and 150 classes it has 17,272,662 parameters.

    Attributes:
        input_stride: Height and width of the input should be multiples of it.
        output_stride: Stride of `features`, here 1.
        head_channels: Input channels of the head from each decoder level, here the last one alone.
    """

    input_stride = 16
    output_stride = 1

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        in_channels: int = 3,
        norm: NormalizationKind = "batch",
    ) -> None:
        """Build the network with random weights.

        Args:
            num_classes: Channels of the logits.
            width: Channels of the first stage; each deeper one has twice as many.
            in_channels: Channels of the image.
            norm: Normalisation after each convolution.
        """
        super().__init__()
        self.stem = double_conv(in_channels, width, width, norm)
        self.encoder = nn.ModuleList(
            [
                down_block(width, 2 * width, norm),
                down_block(2 * width, 4 * width, norm),
                down_block(4 * width, 8 * width, norm),
                down_block(8 * width, 16 * width // 2, norm),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                UpBlock(16 * width, 8 * width // 2, norm),
                UpBlock(8 * width, 4 * width // 2, norm),
                UpBlock(4 * width, 2 * width // 2, norm),
                UpBlock(2 * width, width, norm),
            ]
        )
        self.head = nn.Conv2d(width, num_classes, 1)
        self.head_channels = (width,)

    def features(self, image: Tensor) -> Tensor:
        """Compute the input of the head, `(B, width, H, W)`, from a normalised `(B, C, H, W)`."""
        skips: list[Tensor] = []
        features = self.stem(image)
        for block in self.encoder:
            skips.append(features)
            features = block(features)
        for block in self.decoder:
            features = block(features, skips.pop())
        return features

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits `(B, num_classes, H, W)` from a normalised image `(B, C, H, W)`."""
        return self.head(self.features(image))

    def blocks(self) -> list[NetworkBlock]:
        """Describe the blocks of the network, from the image to the head."""
        convs = [
            [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
            for block in (self.stem, *self.encoder, *self.decoder)
        ]
        depth = len(self.encoder)
        names = [f"encoder {index + 1}" for index in range(depth)] + ["bottleneck"]
        names += [f"decoder {index + 1}" for index in range(depth)]
        strides = [2 ** (depth - abs(depth - index)) for index in range(2 * depth + 1)]
        blocks = [
            NetworkBlock(name, layers[0].in_channels, layers[-1].out_channels, stride)
            for name, layers, stride in zip(names, convs, strides, strict=True)
        ]
        for index in range(depth):
            decoder_index = depth + 1 + index
            blocks[decoder_index] = blocks[decoder_index]._replace(
                skips=(names[depth - 1 - index],)
            )
        return [*blocks, NetworkBlock("head", self.head.in_channels, self.head.out_channels, 1)]
