"""A network with its normalisation, padding and training loss inside."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.unet import UNet

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


class Segmenter(nn.Module):
    """From images as they are to logits at the decoder's stride, or to the loss.

    Images are padded at the right and at the bottom to a multiple of the network's stride, so
    that any size goes in. Cells of the output that lie beyond the image are not cut off:
    `covered` tells how many rows and columns of cells, fractions included, the image takes up.
    """

    mean: Tensor
    std: Tensor
    network: Network

    def __init__(
        self,
        network: Network,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        """Wrap a network.

        Args:
            network: Turns normalised images into features, and has a head for them.
            mean: Taken off an RGB image in 0..1.
            std: Divides it afterwards.
        """
        super().__init__()
        self.network = network
        self.memory_format = torch.channels_last
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)

    def features(self, image: Tensor) -> Tensor:
        """Compute the decoder's features of images `(B, 3, H, W)`, uint8 or float in 0..255."""
        return self.network.features(self._prepared(image))

    def _prepared(self, image: Tensor) -> Tensor:
        """Normalise, pad and lay out images."""
        image = self.normalised(image)
        height, width = image.shape[2:]
        stride = self.network.input_stride
        padding = (0, -width % stride, 0, -height % stride)
        if any(padding):
            image = F.pad(image, padding, mode="replicate")
        return image.contiguous(memory_format=self.memory_format)

    def normalised(self, image: Tensor) -> Tensor:
        """Bring images `(B, 3, H, W)` in 0..255 to the scale that the network was made for."""
        # Row by row of all three channels: over three numbers at a time, the loops of a CPU are
        # six times as slow.
        width = image.shape[3]
        rows = image.permute(0, 2, 3, 1).to(self.mean.dtype).flatten(2)
        rows = (rows - self.mean.flatten().repeat(width)) / self.std.flatten().repeat(width)
        return rows.unflatten(2, (width, 3)).permute(0, 3, 1, 2)

    def to_memory_format(self, memory_format: torch.memory_format) -> "Segmenter":
        """Lay the weights out, and from now on the images; channels last is the default."""
        self.memory_format = memory_format
        # The stubs of `Module.to` know no call with a memory format alone.
        return self.to(memory_format=memory_format)  # pyright: ignore[reportCallIssue]

    def covered(self, height: int, width: int) -> tuple[float, float]:
        """Return rows and columns of output cells that an image of this size takes up."""
        stride = self.network.output_stride
        return height / stride, width / stride

    def forward(self, image: Tensor, mask: Tensor | None = None, loss: Loss | None = None) -> Any:
        """Compute logits `(B, C, h, w)` at the decoder's stride, or the loss where one is given.

        Head, upsampling and loss are inside the forward so that mixed precision and DDP see them
        and that a loss may do them piece by piece, without the logits at full size.

        Args:
            image: Images `(B, 3, H, W)`, uint8 or float in 0..255.
            mask: Train ids `(B, H, W)`; needed by the loss.
            loss: Turns features, head, covered cells and mask into a sum and a confusion matrix.
        """
        if loss is None or mask is None:
            return self.network.head(self.features(image))
        covered = self.covered(image.shape[2], image.shape[3])
        return loss(self.features(image), self.network.head, covered, mask)
