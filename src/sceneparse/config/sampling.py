"""How often each training image is seen."""

from typing import Annotated, Literal

from pydantic import Field

from sceneparse.config.section import Section


class UniformSampling(Section):
    """Each image once in an epoch."""

    kind: Literal["uniform"] = "uniform"


class ClassBalancedSampling(Section):
    """Images of rare classes more often (Gupta et al., 2019); an epoch is as long as before.

    The training masks are counted once for it, and the counts kept in your cache folder.
    """

    kind: Literal["class_balanced"]
    threshold: float = Field(default=0.02, gt=0, le=1)
    """Share of images below which a class is rare: where f hold it, they are drawn
    sqrt(threshold / f) times as often as others."""


SamplingConfig = Annotated[UniformSampling | ClassBalancedSampling, Field(discriminator="kind")]
