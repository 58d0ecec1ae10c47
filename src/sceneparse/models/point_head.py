"""A head that says at single places what the classes are."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What names of the weights begin with.
POINT_HEAD = "point_head."


class PointHead(nn.Module):
    """The point head of PointRend (Kirillov et al., 2020, arXiv 1912.08193, section 3.3).

    A small network sees a place alone: the decoder's features there, interpolated, and the coarse
    logits, which are put to it anew before each layer. As what it makes of them is not linear, it
    may draw an edge between two cells sharply, where upsampled logits can only fade.

    Untrained it answers with the coarse logits, nearly: it has corrections alone to learn.
    """

    def __init__(
        self, in_channels: int, num_classes: int, width: int = 256, layers: int = 3
    ) -> None:
        """Build the layers.

        Args:
            in_channels: Channels of the decoder's features, D.
            num_classes: Channels of the logits, C.
            width: Channels of each hidden layer.
            layers: Number of hidden layers.
        """
        super().__init__()
        widths = [in_channels, *[width] * layers]
        self.layers = nn.ModuleList(
            [nn.Conv1d(before + num_classes, width, 1) for before in widths[:-1]]
        )
        self.predictor = nn.Conv1d(widths[-1] + num_classes, num_classes, 1)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.endswith("bias"):
                    parameter.zero_()
                else:
                    nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            nn.init.normal_(self.predictor.weight, std=0.001)
            self.predictor.weight[:, -num_classes:, 0] += torch.eye(num_classes)

    @property
    def place_bytes(self) -> int:
        """Memory that predicting takes for each place: input and output of the widest layer."""
        return 4 * max(2 * layer.in_channels + layer.out_channels for layer in self._convolutions())

    def _convolutions(self) -> list[nn.Conv1d]:
        return [*(cast("nn.Conv1d", layer) for layer in self.layers), self.predictor]

    def forward(self, features: Tensor, coarse: Tensor) -> Tensor:
        """Compute logits `(B, C, P)` of places.

        Args:
            features: What the decoder says there, `(B, D, P)`.
            coarse: Logits there, upsampled, `(B, C, P)`.
        """
        for layer in self.layers:
            features = F.relu(layer(torch.cat([features, coarse], dim=1)))
        return self.predictor(torch.cat([features, coarse], dim=1))
