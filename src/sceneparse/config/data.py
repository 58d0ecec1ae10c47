"""Which images a run learns from."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from sceneparse.config.published import CacheChoice, PublishedDataConfig
from sceneparse.config.section import Section, UserPath


class FolderData(Section):
    """Your own images: `images`, `masks` and `labels.yaml`."""

    kind: Literal["folder"]
    root: UserPath
    """Folder that holds them."""
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of images held out where the folder has no `training` and `validation` of its own."""
    cache: CacheChoice = "auto"
    """`auto`: pixels that `sceneparse data cache` decoded, if they fit; `off`; or their folder."""


class SyntheticData(Section):
    """Scenes drawn on the fly in classes of ADE20K."""

    kind: Literal["synthetic"]
    training_images: PositiveInt = 400
    """Scenes to train on."""
    validation_images: PositiveInt = 50
    """Scenes to validate on."""
    height: int = Field(default=256, ge=32, le=4096)
    """Height of each in pixels."""
    width: int = Field(default=256, ge=32, le=4096)
    """Width of each in pixels."""
    seed: int = Field(default=0, ge=0)
    """Which scenes; independent of the seed of the run."""


DataConfig = Annotated[
    PublishedDataConfig | FolderData | SyntheticData, Field(discriminator="kind")
]
