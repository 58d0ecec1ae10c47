"""The U-Net of Ronneberger et al. (2015), figure 1, with bilinear upsampling."""

import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.block import Block
from sceneparse.models.normalization import Normalization, normalization


class JoiningConv(nn.Conv2d):
    """A convolution of a skip and features as if they were concatenated, which they never are.

    It is the sum of two convolutions. The concatenated tensor, the largest of a U-Net, would be
    kept for the gradient, while the skip is kept anyway. Where the channels of both are multiples
    of 16 it is also faster than one convolution; elsewhere, as behind most encoders, slower.
    """

    def forward(self, skip: Tensor, features: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - of two
        """Convolve `(B, S, H, W)` and `(B, D, H, W)` together; S + D = in_channels."""
        of_skip, of_features = self.weight.split([skip.shape[1], features.shape[1]], dim=1)
        together = F.conv2d(skip, of_skip, padding=1)
        return together.add_(F.conv2d(features, of_features, padding=1))


def double_conv(
    in_channels: int,
    middle_channels: int,
    out_channels: int,
    norm: Normalization = "batch",
    first: type[nn.Conv2d] = nn.Conv2d,
) -> nn.Sequential:
    """Make two 3×3 convolutions, each with normalisation and ReLU, that keep the size."""
    return nn.Sequential(
        first(in_channels, middle_channels, 3, padding=1, bias=False),
        normalization(norm, middle_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle_channels, out_channels, 3, padding=1, bias=False),
        normalization(norm, out_channels),
        nn.ReLU(inplace=True),
    )


def down_block(in_channels: int, out_channels: int, norm: Normalization) -> nn.Sequential:
    """Make a 2×2 max pooling followed by a double convolution."""
    conv = double_conv(in_channels, out_channels, out_channels, norm)
    return nn.Sequential(nn.MaxPool2d(2), conv)


class UpBlock(nn.Module):
    """Upsample to the size of the skip, join both, convolve twice.

    The width between the two convolutions is half of what enters the first.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: Normalization) -> None:
        super().__init__()
        self.conv = double_conv(in_channels, in_channels // 2, out_channels, norm, JoiningConv)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Join features `(B, D, h, w)` with a skip `(B, S, H, W)`; D + S = in_channels."""
        features = F.interpolate(features, size=skip.shape[2:], mode="bilinear")
        joining, *others = self.conv
        features = joining(skip, features)
        for layer in others:
            features = layer(features)
        return features


class UNet(nn.Module):
    """U-Net for semantic segmentation (Ronneberger et al., 2015, arXiv 1505.04597).

    Differs from the paper's figure 1 as most later work does: the convolutions are padded, so the
    output has the size of the input; every convolution is followed by normalisation; the
    decoder upsamples bilinearly instead of by transposed convolution, and the bottleneck is
    therefore half as wide. With 64 channels and 150 classes it has 17,272,662 parameters.

    Attributes:
        input_stride: Height and width of the input should be multiples of this.
        output_stride: Pixels of input per cell of `features`, here 1.
        head_channels: What the head sees of each level of the decoder, here of the last alone.
    """

    input_stride = 16
    output_stride = 1

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        in_channels: int = 3,
        norm: Normalization = "batch",
    ) -> None:
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
        """Compute what the head sees: `(B, width, H, W)` from a normalised `(B, 3, H, W)`."""
        skips: list[Tensor] = []
        features = self.stem(image)
        for block in self.encoder:
            skips.append(features)
            features = block(features)
        for block in self.decoder:
            features = block(features, skips.pop())
        return features

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits `(B, num_classes, H, W)` from a normalised image `(B, 3, H, W)`."""
        return self.head(self.features(image))

    def blocks(self) -> list[Block]:
        """Describe the network as built, from the image to the head."""
        convs = [
            [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
            for block in (self.stem, *self.encoder, *self.decoder)
        ]
        depth = len(self.encoder)
        names = [f"encoder {index + 1}" for index in range(depth)] + ["bottleneck"]
        names += [f"decoder {index + 1}" for index in range(depth)]
        strides = [2 ** (depth - abs(depth - index)) for index in range(2 * depth + 1)]
        blocks = [
            Block(name, layers[0].in_channels, layers[-1].out_channels, stride)
            for name, layers, stride in zip(names, convs, strides, strict=True)
        ]
        for index in range(depth):
            at = depth + 1 + index
            blocks[at] = blocks[at]._replace(skips=(names[depth - 1 - index],))
        return [*blocks, Block("head", self.head.in_channels, self.head.out_channels, 1)]
