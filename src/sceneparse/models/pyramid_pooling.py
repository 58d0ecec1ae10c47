"""Pyramid pooling: what the whole picture shows, beside what each place does."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BINS = (1, 2, 3, 6)


class PyramidPooling(nn.Module):
    """Pool features over 1, 4, 9 and 36 parts of the picture and put all beside each other.

    The module of PSPNet (Zhao et al., 2017, arXiv 1612.01105, figure 3), with two differences. Its
    batch normalisation sees one value per picture where a part is the whole picture: it cannot
    train on a batch of one, and on a small one it is noise. Here each picture is normalised by
    itself, over channels and cells (one group of Wu & He, 2018). And what comes out is put together
    by a 1×1 convolution: those of the decoder, which follow, are 3×3.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Make the branches.

        Args:
            in_channels: Channels that go in; each branch has a quarter of them.
            out_channels: Channels that come out.
        """
        super().__init__()
        self.out_channels = out_channels
        width = max(1, in_channels // len(BINS))
        self.branches = nn.ModuleList([_conv(in_channels, width) for _ in BINS])
        self.joined = _conv(in_channels + len(BINS) * width, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Compute `(B, out_channels, h, w)` of `(B, in_channels, h, w)`."""
        size = features.shape[2:]
        pooled = [
            F.interpolate(branch(F.adaptive_avg_pool2d(features, bins)), size=size, mode="bilinear")
            for branch, bins in zip(self.branches, BINS, strict=True)
        ]
        return self.joined(torch.cat([features, *pooled], dim=1))


def _conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.GroupNorm(1, out_channels),
        nn.ReLU(inplace=True),
    )
