"""What every section of a config is, and what its paths are."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from sceneparse.system.paths import expanded

# Every path of a config, relative to where the command runs.
UserPath = Annotated[Path, AfterValidator(expanded)]


class Section(BaseModel):
    """An immutable part of a config that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
