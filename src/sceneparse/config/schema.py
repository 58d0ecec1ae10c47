"""The sections and fields of a config, as its settings classes define them."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from sceneparse.config.run_config import RunConfig
from sceneparse.system.settings import Kinds


@cache
def adapter() -> TypeAdapter[RunConfig]:
    """Return what checks and writes configs; made at first use, when all kinds are known."""
    return TypeAdapter(RunConfig)


def config_schema() -> str:
    """Write the JSON Schema of a config, for editors."""
    schema = adapter().json_schema()
    _describe(schema, RunConfig)
    for kind, section in _sections_below(RunConfig):
        described = schema["$defs"][section.__name__]
        _describe(described, section)
        if kind is not None:
            properties = described.get("properties", {})
            described["properties"] = {"kind": {"const": kind, "type": "string"}, **properties}
    return json.dumps(schema, indent=2)


def _describe(schema: dict[str, Any], section: type) -> None:
    for name, description in descriptions_of(section).items():
        schema["properties"][name]["description"] = description


def _sections_below(section: type) -> Iterator[tuple[str | None, type]]:
    """Yield every settings class that a section may hold with its kind, however deep."""
    for annotation in fields_of(section).values():
        for kind, inner in sections_of(annotation).items():
            yield kind, inner
            yield from _sections_below(inner)


@cache
def descriptions_of(section: type) -> dict[str, str]:
    """Return the docstring below each field of a settings class, inherited ones included."""
    descriptions: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        if is_dataclass(cls):
            source = ast.parse(textwrap.dedent(inspect.getsource(cls)))
            (definition,) = (node for node in source.body if isinstance(node, ast.ClassDef))
            for field, below in pairwise(definition.body):
                match field, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        descriptions[name] = " ".join(text.split())
                    case _:
                        pass
    return descriptions


@cache
def fields_of(section: type) -> dict[str, Any]:
    """Return the annotation of each field of a settings class."""
    return get_type_hints(section, include_extras=True)


def sections_of(annotation: Any) -> dict[str | None, type]:
    """Return the settings classes that an annotation allows, by kind; none for the only one."""
    if isinstance(annotation, type) and is_dataclass(annotation):
        return {None: annotation}
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        for mark in marks:
            if isinstance(mark, Kinds):
                sections: dict[str | None, type] = {}
                sections.update(mark.classes)
                return sections
        return sections_of(inner)
    return {
        kind: section
        for argument in get_args(annotation)
        for kind, section in sections_of(argument).items()
    }


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of a document by dotted path."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            values |= flat(
                {str(index): item for index, item in enumerate(value)}, f"{prefix}{key}."
            )
        else:
            values[prefix + key] = value
    return values
