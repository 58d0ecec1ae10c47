"""Which network a run trains."""

from typing import Annotated, Literal

from pydantic import Field

from sceneparse.config.section import Section


class UNetModel(Section):
    """The U-Net of Ronneberger et al. (2015), normalised, with bilinear upsampling."""

    kind: Literal["unet"] = "unet"
    width: int = Field(default=64, ge=2, le=1024, multiple_of=2)
    """Channels of the first stage; each deeper one has twice as many."""
    normalization: Literal["batch", "group"] = "batch"
    """`batch`, over the whole batch of all processes; `group`, which does not depend on it."""


class EncoderUNetModel(Section):
    """A U-Net decoder over any timm encoder."""

    kind: Literal["encoder_unet"]
    encoder: str = "tf_efficientnet_lite0"
    """Name of a timm model."""
    weights: Literal["imagenet", "none"] = "imagenet"
    """What the encoder starts from: its ImageNet weights, or random numbers."""
    decoder_channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(256, 128, 64, 32, 16), min_length=1
    )
    """Width of each decoder block, deepest first; those beyond the output stride are not built."""
    output_stride: Literal[1, 2, 4] = 4
    """Pixels of input per cell of the logits, which are then upsampled."""
    normalization: Literal["batch", "group"] = "batch"
    """Of the decoder; the encoder keeps what its weights were made with."""


ModelConfig = Annotated[UNetModel | EncoderUNetModel, Field(discriminator="kind")]
