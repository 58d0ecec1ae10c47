"""Settings: small frozen dataclasses, each with the bounds, defaults and meaning of its fields.

A settings class is plain Python: it imports neither torch nor pydantic, and an object takes it as
it is. Where a config is read, pydantic checks it: types, bounds, unknown fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator

from sceneparse.system.paths import expand_user

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Class = TypeVar("Class")

PositiveInt = Annotated[int, Gt(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
# A share or a probability, in 0..1.
Share = Annotated[float, Ge(0), Le(1)]
ShareBelowOne = Annotated[float, Ge(0), Lt(1)]
# Pixels of a side of an image.
Side = Annotated[int, Ge(32), Le(4096)]
# Every path of a config, relative to where the command runs; `~` is the home folder.
UserPath = Annotated[Path, AfterValidator(expand_user)]

# How pydantic checks a settings class.
_CHECKS = {"extra": "forbid", "allow_inf_nan": False}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[Class]) -> type[Class]:
    """Make a class a frozen dataclass with fields by keyword, which pydantic can check."""
    cls.__pydantic_config__ = _CHECKS  # pyright: ignore[reportAttributeAccessIssue] - pydantic's
    return dataclass(frozen=True, kw_only=True)(cls)


class Kinds:
    """Marks a field that holds settings of one of several classes.

    In Python the class is the kind. In YAML the section names it: `kind: cosine`. The classes are
    looked up when a config is first read, so that a module may add its own before.

    Attributes:
        default: Kind of a section that names none; none if it has to.
        sequence: Annotation of lists and tuples, which the field may hold instead of a section.
    """

    def __init__(
        self,
        *classes: Mapping[str, type],
        default: str | None = None,
        sequence: Any = None,
    ) -> None:
        """Take the classes by kind, in one or several mappings."""
        self._classes = classes
        self.default = default
        self.sequence = sequence

    @property
    def classes(self) -> dict[str, type]:
        """The settings classes by kind."""
        return {kind: cls for mapping in self._classes for kind, cls in mapping.items()}

    def kind_of(self, value: object) -> str | None:
        """Return the kind of a section of YAML, or of settings; none if it is unknown."""
        if isinstance(value, Mapping):
            kind = value.get("kind", self.default)
            return None if kind is None else str(kind)
        if self.sequence and isinstance(value, list | tuple):
            return _SEQUENCE
        return next((kind for kind, cls in self.classes.items() if type(value) is cls), None)

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Tell pydantic to choose the class by the kind, which is none of its fields."""
        from pydantic_core import core_schema

        choices: dict[Any, CoreSchema] = {}
        for kind, cls in self.classes.items():
            choices[kind] = core_schema.no_info_before_validator_function(
                _without_kind,
                handler.generate_schema(cls),
                serialization=core_schema.wrap_serializer_function_ser_schema(_KindFirst(kind)),
            )
        if self.sequence:
            choices[_SEQUENCE] = handler.generate_schema(self.sequence)
        return core_schema.tagged_union_schema(choices, discriminator=self.kind_of)

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Describe the choice; `config.schema` adds the kinds to the classes."""
        return {"oneOf": [handler(choice) for choice in schema["choices"].values()]}


_SEQUENCE = "list"


def _without_kind(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: inner for key, inner in value.items() if key != "kind"}
    return value


class _KindFirst:
    """Writes settings as a section that begins with its kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, value: Any, handler: Any) -> dict[str, Any]:
        return {"kind": self._kind, **handler(value)}
