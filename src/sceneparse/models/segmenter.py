"""A network with normalisation and padding of its images, and with the training loss."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.input_channels import RGB_CHANNELS, statistics_of_channels
from sceneparse.models.unet import UNet

# To add an architecture, give it the attributes that these share, and list it here.
AnyUNet = UNet | EncoderUNet


class FeatureLoss(Protocol):
    """A loss that computes head and upsampling itself."""

    @property
    def ignore_index(self) -> int:
        """Train id of void."""
        ...

    def __call__(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> Any:
        """Compute the loss.

        Args:
            features: Input of the head, `(B, D, h, w)`.
            head: The 1×1 convolution to `(B, C, h, w)`.
            covered: Rows and columns of the padded feature map that the target covers.
            target: Train ids `(B, H, W)`.
        """
        ...


class Segmenter(nn.Module):
    """Compute logits at the decoder's stride, or the loss, from images of any size.

    The segmenter pads images at the right and at the bottom to a multiple of the network's stride.
    It does not crop the logits: `covered` returns how many rows and columns of the padded feature
    map the image covers.
    """

    mean: Tensor
    std: Tensor
    network: AnyUNet

    def __init__(
        self,
        network: AnyUNet,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        channels: int = RGB_CHANNELS,
    ) -> None:
        """Wrap a network.

        Args:
            network: The network, which takes normalised images.
            mean: Mean of each RGB channel of images in 0..1.
            std: Standard deviation of each channel.
            channels: Number of channels of the images; other channels than three are all
                normalised by the average of mean and deviation.
        """
        super().__init__()
        self.network = network
        self.memory_format = torch.channels_last
        for name, values in (("mean", mean), ("std", std)):
            of_channels = torch.tensor(statistics_of_channels(values, channels))
            self.register_buffer(name, of_channels.view(1, channels, 1, 1) * 255)

    @property
    def channels(self) -> int:
        """Number of channels of the images."""
        return self.mean.numel()

    def features(self, image: Tensor) -> Tensor:
        """Compute the input of the head from images `(B, C, H, W)`, uint8 or float in 0..255."""
        return self.network.features(self._network_input(image))

    def _network_input(self, image: Tensor) -> Tensor:
        """Normalise images, pad them, and change their memory format."""
        image = self.normalise(image)
        height, width = image.shape[2:]
        stride = self.network.input_stride
        padding = (0, -width % stride, 0, -height % stride)
        if any(padding):
            image = F.pad(image, padding, mode="replicate")
        return image.contiguous(memory_format=self.memory_format)

    def normalise(self, image: Tensor) -> Tensor:
        """Subtract the mean from images `(B, C, H, W)` in 0..255, and divide by the deviation."""
        # Over rows of all channels: broadcasting three numbers along channels-last memory
        # is six times as slow on a CPU.
        width = image.shape[3]
        rows = image.permute(0, 2, 3, 1).to(self.mean.dtype).flatten(2)
        rows = (rows - self.mean.flatten().repeat(width)) / self.std.flatten().repeat(width)
        return rows.unflatten(2, (width, self.channels)).permute(0, 3, 1, 2)

    def to_memory_format(self, memory_format: torch.memory_format) -> "Segmenter":
        """Change the memory format of the weights and of all later images."""
        self.memory_format = memory_format
        # The type stubs of `Module.to` lack the call with a memory format alone.
        return self.to(memory_format=memory_format)  # pyright: ignore[reportCallIssue]

    def covered(self, height: int, width: int) -> tuple[float, float]:
        """Return the rows and columns, with fractions, of the feature map that an image covers."""
        stride = self.network.output_stride
        return height / stride, width / stride

    def forward(
        self, image: Tensor, mask: Tensor | None = None, loss: FeatureLoss | None = None
    ) -> Any:
        """Compute logits `(B, C, h, w)` at the decoder's stride, or a loss.

        Head, upsampling and loss are part of the forward pass so that mixed precision and DDP
        apply to them, and so that a loss can compute them tile by tile.

        Args:
            image: Images `(B, C, H, W)`, uint8 or float in 0..255.
            mask: Train ids `(B, H, W)` for the loss.
            loss: The loss to compute instead of logits.
        """
        if loss is None or mask is None:
            return self.network.head(self.features(image))
        covered = self.covered(image.shape[2], image.shape[3])
        return loss(self.features(image), self.network.head, covered, mask)
