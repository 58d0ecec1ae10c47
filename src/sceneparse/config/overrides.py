"""Overrides such as `optimizer.lr=3e-4`, laid over a parsed YAML file."""

from collections.abc import Mapping, Sequence
from typing import Any

from sceneparse.config.run_config import RunConfig
from sceneparse.config.schema import fields_of, sections_of
from sceneparse.errors import InputError
from sceneparse.system.yaml_text import parse_value


def apply_override(document: dict[str, Any], override: str) -> None:
    """Lay `section.field=value` over a parsed document; the value is YAML.

    Raises:
        InputError: If it is no override, or goes through something that is no section.
    """
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise InputError(f"{override}: expected section.field=value, such as optimizer.lr=3e-4")
    section = document
    for key in keys[:-1]:
        inner: Any = section.setdefault(key, {})
        if not isinstance(inner, dict):
            if inner is not None:
                raise InputError(f"{override}: `{key}` is no section")
            inner = section[key] = {}
        section = inner
    section[keys[-1]] = parse_value(value)
    if keys[-1] == "kind":
        _drop_fields_of_other_kinds(section, keys[:-1])


def _drop_fields_of_other_kinds(section: dict[str, Any], path: Sequence[str]) -> None:
    """Drop the fields that only other kinds of a section have: a stored config has them all."""
    choices: Mapping[str | None, type] = {None: RunConfig}
    for key in path:
        fields = [fields_of(choice).get(key) for choice in choices.values()]
        choices = {kind: inner for field in fields for kind, inner in sections_of(field).items()}
    chosen = choices.get(section["kind"])
    if chosen is not None:
        known = {name for choice in choices.values() for name in fields_of(choice)}
        for name in known - fields_of(chosen).keys():
            section.pop(name, None)
