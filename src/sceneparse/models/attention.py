"""Attention gates on the skips of a U-Net."""

import torch.nn.functional as F
from torch import Tensor, nn


class AttentionGate(nn.Module):
    """Let through of a skip what the coarser features ask for.

    Additive attention of Attention U-Net (Oktay et al., 2018, arXiv 1804.03999, equations 1 and 2,
    figure 2): a share in 0..1 for each cell, computed at the coarser size and upsampled.
    """

    def __init__(self, skip_channels: int, gate_channels: int) -> None:
        super().__init__()
        inner = max(1, skip_channels // 2)
        self.of_skip = nn.Conv2d(skip_channels, inner, 2, stride=2, bias=False)
        self.of_gate = nn.Conv2d(gate_channels, inner, 1)
        self.share = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        """Weigh a skip `(B, S, 2h, 2w)` by what features `(B, D, h, w)` make of it."""
        joined = F.relu(self.of_skip(skip) + self.of_gate(gate))
        share = self.share(joined).sigmoid()
        return skip * F.interpolate(share, size=skip.shape[2:], mode="bilinear")
