"""What every section of a config is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """An immutable part of a config that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
