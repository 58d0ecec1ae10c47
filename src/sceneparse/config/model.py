"""Which network a run trains."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sceneparse.config.section import Section, UserPath

# A path is a run folder or a weights file.
Start = Literal["bundled", "none"] | UserPath
EncoderStart = Literal["imagenet", "bundled", "none"] | UserPath


def _not_imagenet(start: Start) -> Start:
    if start == Path("imagenet"):
        raise ValueError(
            "nobody has ImageNet weights of the plain U-Net; use none, bundled, a run folder or a "
            "weights file, or model.kind=encoder_unet"
        )
    return start


class UNetModel(Section):
    """The U-Net of Ronneberger et al. (2015), normalised, with bilinear upsampling."""

    kind: Literal["unet"] = "unet"
    width: int = Field(default=64, ge=2, le=1024, multiple_of=2)
    """Channels of the first stage; each deeper one has twice as many."""
    weights: Annotated[Start, AfterValidator(_not_imagenet)] = "none"
    """What training starts from: `none`, random numbers; `bundled`; a run folder or a file."""
    normalization: Literal["batch", "group"] = "batch"
    """`batch`, over the whole batch of all processes; `group`, which does not depend on it."""


class EncoderUNetModel(Section):
    """A U-Net decoder over any timm encoder."""

    kind: Literal["encoder_unet"]
    encoder: str = "tf_efficientnet_lite0"
    """Name of a timm model."""
    weights: EncoderStart = "imagenet"
    """What training starts from: `imagenet`, for the encoder; `none`, random numbers; `bundled`,
    the model of the package; or a run folder or weights file, of which all that fits is taken."""
    decoder_channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(160, 192, 128, 64, 32), min_length=1
    )
    """Width of each decoder block, deepest first; those beyond the output stride are not built."""
    output_stride: Literal[1, 2, 4, 8] = 8
    """Pixels of input per cell of the logits, which are then upsampled."""
    normalization: Literal["batch", "group"] = "batch"
    """Of the decoder; the encoder keeps what its weights were made with."""
    block: Literal["plain", "separable"] = "plain"
    """Of the decoder's convolutions; `separable`, depthwise and then 1×1, is faster on a CPU."""
    head_levels: int = Field(default=1, ge=1, le=6)
    """Decoder levels that the head sees, the finest first; coarser ones are upsampled to it
    (hypercolumns, Hariharan et al., 2015)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a channel is hidden from the head in training."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Probability that the encoder's deepest residual block is left out for an image in training,
    less for shallower ones (Huang et al., 2016)."""
    freeze_stages: int = Field(default=0, ge=0, le=32)
    """Encoder stages, shallowest first, that stay as they are; they cost no backward pass."""
    freeze_norm: bool = False
    """Batch norms of the encoder use their running statistics, which stay as they are."""


ModelConfig = Annotated[UNetModel | EncoderUNetModel, Field(discriminator="kind")]
