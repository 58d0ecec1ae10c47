"""Settings of the networks, and the list of all of them."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from annotated_types import Ge, Le, MinLen, MultipleOf
from pydantic import StringConstraints

from sceneparse.system.settings import Kinds, ShareBelowOne, UserPath, settings

if TYPE_CHECKING:
    from sceneparse.models.segmenter import Segmenter

# On the Hugging Face Hub, as in hf://owner/name.
HubWeights = Annotated[str, StringConstraints(pattern="^hf://")]
# A path is a run folder or a weights file.
StartingWeights = Literal["bundled", "none"] | HubWeights | UserPath
NormalizationKind = Literal["batch", "group"]
Channels = Annotated[int, Ge(1), Le(4096)]


@settings
class ModelSettings:
    """Fields that every network has."""

    weights: Literal["imagenet"] | StartingWeights = "none"
    """Initial weights."""

    def build(self, num_classes: int, channels: int = 3) -> "Segmenter":
        """Make the network with its normalisation of images.

        `imagenet` weights are read here; those of another model are copied into the network by
        `factory.torch_loading.segmenter_to_train`.

        Args:
            num_classes: Number of classes.
            channels: Number of channels of the images: those of RGB, or the chosen bands.

        Raises:
            InputError: If an encoder or its weights cannot be had.
        """
        raise NotImplementedError

    def _check_weights(self) -> None:
        if self.weights not in ("imagenet", "none"):
            raise ValueError(
                f"weights: found {self.weights}, expected imagenet or none; build with "
                "weights=none, or start training, which loads them"
            )

    @property
    def untrained(self) -> Self:
        """The same network without weights to start from: nothing is read."""
        return replace(self, weights="none")

    @property
    def deployed(self) -> "ModelSettings":
        """The same network without what only training needs."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Name the network in a message."""
        raise NotImplementedError


@settings
class UNetModel(ModelSettings):
    """The U-Net of Ronneberger et al. (2015), normalised, with bilinear upsampling."""

    width: Annotated[int, Ge(2), Le(1024), MultipleOf(2)] = 64
    """Channels of the first stage; each deeper one has twice as many."""
    weights: Literal["imagenet"] | StartingWeights = "none"
    """Initial weights: `none`, random numbers; `bundled`; a run folder, a weights file or
    `hf://owner/name`."""
    normalization: NormalizationKind = "batch"
    """`batch`, over the whole batch of all processes; `group`, independent of the batch."""

    def __post_init__(self) -> None:
        if self.weights in ("imagenet", Path("imagenet")):
            raise ValueError(
                "there are no ImageNet weights of the plain U-Net; use none, bundled, a "
                "run folder or a weights file, or model.kind=encoder_unet"
            )

    def build(self, num_classes: int, channels: int = 3) -> "Segmenter":
        """Make the network with its normalisation of images."""
        from sceneparse.models.segmenter import Segmenter
        from sceneparse.models.unet import UNet

        self._check_weights()
        network = UNet(num_classes, self.width, channels, self.normalization)
        return Segmenter(network, channels=channels)

    @property
    def deployed(self) -> "UNetModel":
        """The same network without what only training needs."""
        return UNetModel(width=self.width, normalization=self.normalization)

    def __str__(self) -> str:
        """Name the network in a message."""
        return f"unet of width {self.width}"


@settings
class EncoderUNetModel(ModelSettings):
    """A U-Net decoder over any timm encoder."""

    encoder: str = "tf_efficientnet_lite0"
    """Name of a timm model."""
    weights: Literal["imagenet"] | StartingWeights = "imagenet"
    """Initial weights: `imagenet`, for the encoder; `none`, random numbers; `bundled`,
    the bundled model; or a run folder, a weights file or `hf://owner/name`, from which all that
    fits is loaded."""
    decoder_channels: Annotated[tuple[Channels, ...], MinLen(1)] = (160, 192, 128, 64, 32)
    """Width of each decoder block, deepest first; those beyond the output stride are not built."""
    output_stride: Literal[1, 2, 4, 8] = 8
    """Stride of the logits, which are then upsampled."""
    normalization: NormalizationKind = "batch"
    """Normalisation of the decoder; the encoder keeps that of its weights."""
    block: Literal["plain", "separable"] = "plain"
    """Convolutions of the decoder; `separable`, depthwise and then 1×1, is faster on a CPU."""
    head_levels: Annotated[int, Ge(1), Le(6)] = 1
    """Decoder levels that the head takes, the finest first; coarser ones are upsampled to it
    (hypercolumns, Hariharan et al., 2015)."""
    dropout: ShareBelowOne = 0.0
    """Probability that a channel of the head's input is dropped in training."""
    drop_path: ShareBelowOne = 0.0
    """Probability that the encoder's deepest residual block is skipped for an image in training,
    less for shallower ones (stochastic depth, Huang et al., 2016)."""
    freeze_stages: Annotated[int, Ge(0), Le(32)] = 0
    """Encoder stages, shallowest first, that are frozen; they cost no backward pass."""
    freeze_norm: bool = False
    """Freeze the encoder's batch norms: they use their running statistics."""

    def build(self, num_classes: int, channels: int = 3) -> "Segmenter":
        """Make the network with its normalisation of images."""
        from sceneparse.models.encoder import Encoder
        from sceneparse.models.encoder_unet import EncoderUNet
        from sceneparse.models.segmenter import Segmenter

        self._check_weights()
        source = "imagenet" if self.weights == "imagenet" else "none"
        encoder = Encoder(self.encoder, source, self.drop_path, channels)
        encoder.freeze(self.freeze_stages, norm=self.freeze_norm)
        network = EncoderUNet(self, encoder, num_classes)
        return Segmenter(network, encoder.mean, encoder.std, channels)

    @property
    def deployed(self) -> "EncoderUNetModel":
        """The same network without what only training needs."""
        return EncoderUNetModel(
            encoder=self.encoder,
            weights="none",
            decoder_channels=self.decoder_channels,
            output_stride=self.output_stride,
            normalization=self.normalization,
            block=self.block,
            head_levels=self.head_levels,
        )

    def __str__(self) -> str:
        """Name the network in a message."""
        return f"encoder_unet over {self.encoder}"


# A new network is a class like these, whose `build` imports its module, and a line here.
MODELS: dict[str, type[ModelSettings]] = {"unet": UNetModel, "encoder_unet": EncoderUNetModel}
ModelSection = Annotated[ModelSettings, Kinds(MODELS, default="unet")]
