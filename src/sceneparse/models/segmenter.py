"""A network with its normalisation, padding and training loss inside."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.point_head import PointHead
from sceneparse.models.unet import UNet
from sceneparse.points import logits_at, values_at

# A new architecture is added here; it needs what these have in common.
Network = UNet | EncoderUNet


class Loss(Protocol):
    """What is minimised."""

    @property
    def ignore_index(self) -> int:
        """Train id of void."""
        ...

    def __call__(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> Any:
        """Turn features `(B, D, h, w)`, head, covered cells and ids `(B, H, W)` into sums."""
        ...


# (features (B, D, h, w), head and point head, covered rows and columns of cells, target (B, H, W),
# ignore_index) -> what is added to the loss
PointLoss = Callable[
    [Tensor, tuple[nn.Conv2d, nn.Module], tuple[float, float], Tensor, int], Tensor
]


class Points(NamedTuple):
    """A head for single places.

    Attributes:
        head: The head.
        loss: What it learns by.
    """

    head: PointHead
    loss: PointLoss


class Segmenter(nn.Module):
    """From pictures as they are to logits at the decoder's stride, or to the loss.

    Pictures are padded at the right and at the bottom to a multiple of the network's stride, so
    that any size goes in. Cells of the output that lie beyond the picture are not cut off:
    `covered` tells how many rows and columns of cells, fractions included, the picture takes up.
    """

    mean: Tensor
    std: Tensor
    network: Network
    point_head: PointHead | None

    def __init__(
        self,
        network: Network,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        points: Points | None = None,
    ) -> None:
        """Wrap a network.

        Args:
            network: Turns normalised pictures into features, and has a head for them.
            mean: Taken off an RGB picture in 0..1.
            std: Divides it afterwards.
            points: A head for single places, if there is one.
        """
        super().__init__()
        self.network = network
        self.point_head = points.head if points else None
        self.point_loss = points.loss if points else None
        self.memory_format = torch.channels_last
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)

    def features(self, image: Tensor) -> Tensor:
        """Compute the decoder's features of pictures `(B, 3, H, W)`, uint8 or float in 0..255."""
        return self.network.features(self._prepared(image))

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features `(B, D, h, w)` and logits `(B, C, h, w)` of pictures."""
        features = self.features(image)
        return features, self.network.head(features)

    def logits_at(self, features: Tensor, covered: tuple[float, float], places: Tensor) -> Tensor:
        """Compute the point head's logits `(B, C, P)` at places of pictures.

        Args:
            features: Of the pictures, `(B, D, h, w)`.
            covered: Rows and columns of cells that they take up.
            places: Across and down in each picture, both in 0..1, `(B, P, 2)`.

        Raises:
            ValueError: If there is no point head.
        """
        if self.point_head is None:
            raise ValueError("this network has no point head")
        at = values_at(features, places, covered)
        return self.point_head(at, logits_at(at, self.network.head))

    def _prepared(self, image: Tensor) -> Tensor:
        """Normalise, pad and lay out pictures."""
        image = self.normalised(image)
        height, width = image.shape[2:]
        stride = self.network.input_stride
        padding = (0, -width % stride, 0, -height % stride)
        if any(padding):
            image = F.pad(image, padding, mode="replicate")
        return image.contiguous(memory_format=self.memory_format)

    def normalised(self, image: Tensor) -> Tensor:
        """Bring pictures `(B, 3, H, W)` in 0..255 to the scale that the network was made for."""
        # Row by row of all three channels: over three numbers at a time, the loops of a CPU are
        # six times as slow.
        width = image.shape[3]
        rows = image.permute(0, 2, 3, 1).to(self.mean.dtype).flatten(2)
        rows = (rows - self.mean.flatten().repeat(width)) / self.std.flatten().repeat(width)
        return rows.unflatten(2, (width, 3)).permute(0, 3, 1, 2)

    def laid_out(self, memory_format: torch.memory_format) -> "Segmenter":
        """Lay the weights out, and from now on the pictures; channels last is the default."""
        self.memory_format = memory_format
        # The stubs of `Module.to` know no call with a memory format alone.
        return self.to(memory_format=memory_format)  # pyright: ignore[reportCallIssue]

    def covered(self, height: int, width: int) -> tuple[float, float]:
        """Return rows and columns of output cells that a picture of this size takes up."""
        return _cells((height, width), self.network.output_stride)

    def forward(self, image: Tensor, mask: Tensor | None = None, loss: Loss | None = None) -> Any:
        """Compute logits `(B, C, h, w)` at the decoder's stride, or the loss where one is given.

        Head, upsampling and loss are inside the forward so that mixed precision and DDP see them
        and that a loss may do them piece by piece, without the logits at full size.

        Args:
            image: Pictures `(B, 3, H, W)`, uint8 or float in 0..255.
            mask: Train ids `(B, H, W)`; needed by the loss.
            loss: Turns features, head, covered cells and mask into a sum and a confusion matrix.
                Of a network with auxiliary heads, their sums, weighted, are added to the first,
                and so is what a point head learns by.
        """
        if loss is None or mask is None:
            return self.network.head(self.features(image))
        size = (image.shape[2], image.shape[3])
        main, *auxiliary = self.network.levels(self._prepared(image))
        sums = loss(main.features, main.head, _cells(size, main.stride), mask)
        for level in auxiliary:
            extra = loss(level.features, level.head, _cells(size, level.stride), mask)
            sums = sums._replace(total=sums.total + level.weight * extra.total)
        if self.point_head is not None and self.point_loss is not None:
            heads, cells = (main.head, self.point_head), _cells(size, main.stride)
            at_points = self.point_loss(main.features, heads, cells, mask, loss.ignore_index)
            sums = sums._replace(total=sums.total + at_points)
        return sums


def _cells(size: tuple[int, int], stride: int) -> tuple[float, float]:
    return size[0] / stride, size[1] / stride
