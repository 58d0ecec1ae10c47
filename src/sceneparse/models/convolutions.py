"""The convolutions of a U-Net: in pairs, separable, and over concatenated skip connections."""

import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.normalization import normalization_layer
from sceneparse.models.settings import NormalizationKind


class ConcatConv2d(nn.Conv2d):
    """A convolution of the concatenation of a skip connection and features.

    It adds up two convolutions and never builds the concatenated tensor. That tensor, the largest
    of a U-Net, would be stored for the backward pass, while the skip connection is stored anyway.
    With multiples of 16 channels in both inputs this is also faster than one convolution; with
    other numbers of channels, as in most encoders, it is slower.
    """

    def forward(self, skip: Tensor, features: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - two inputs
        """Convolve `(B, S, H, W)` and `(B, D, H, W)` together; S + D = in_channels."""
        skip_weight, feature_weight = self.weight.split([skip.shape[1], features.shape[1]], dim=1)
        output = F.conv2d(skip, skip_weight, padding=1)
        return output.add_(F.conv2d(features, feature_weight, padding=1))


def double_conv(
    in_channels: int,
    middle_channels: int,
    out_channels: int,
    norm: NormalizationKind = "batch",
    first: type[nn.Conv2d] = nn.Conv2d,
) -> nn.Sequential:
    """Make two padded 3×3 convolutions, each followed by normalisation and ReLU.

    Args:
        in_channels: Channels of the input.
        middle_channels: Channels between the convolutions.
        out_channels: Channels of the output.
        norm: Normalisation after each convolution.
        first: Class of the first convolution.
    """
    return nn.Sequential(
        first(in_channels, middle_channels, 3, padding=1, bias=False),
        normalization_layer(norm, middle_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle_channels, out_channels, 3, padding=1, bias=False),
        normalization_layer(norm, out_channels),
        nn.ReLU(inplace=True),
    )


def separable_double_conv(
    in_channels: int, middle_channels: int, out_channels: int, norm: NormalizationKind = "batch"
) -> nn.Sequential:
    """Make two depthwise separable 3×3 convolutions, each followed by normalisation and ReLU.

    There is no layer between the depthwise and the 1×1 convolution, which Chollet (2017, arXiv
    1610.02357, section 4.7) found to be best. From C to C channels this takes (9 + C) / 9C of the
    multiplications of a plain convolution: an eighth at 64 channels.
    """
    return nn.Sequential(
        *_separable_conv(in_channels, middle_channels, norm),
        *_separable_conv(middle_channels, out_channels, norm),
    )


def _separable_conv(
    in_channels: int, out_channels: int, norm: NormalizationKind
) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        normalization_layer(norm, out_channels),
        nn.ReLU(inplace=True),
    ]
