"""From YAML to a config, and back."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sceneparse.config.messages import format_validation_error
from sceneparse.config.run_config import RunConfig
from sceneparse.config.schema import adapter, fields_of, sections_of
from sceneparse.errors import InputError
from sceneparse.system.files import read_short_text
from sceneparse.system.paths import expand_user
from sceneparse.system.yaml_text import parse_value, parse_yaml, write_yaml


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a config from a YAML file.

    Args:
        path: The file; the configs of the repository are found in the package too.
        overrides: `section.field=value`, each laid over the file; the value is YAML.

    Raises:
        InputError: If the file or an override is wrong; the message lists every mistake.
    """
    packaged = resources.files("sceneparse") / path.as_posix()
    source = packaged if packaged.is_file() and not path.exists() else path
    try:
        text = read_short_text(source)
    except FileNotFoundError:
        raise InputError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    return parse_config(text, str(path), overrides)


def resolve_config(config: RunConfig | str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return a checked config, given as such or as a YAML file, with overrides laid over it.

    Raises:
        InputError: If the file, a value or an override is wrong.
    """
    if not isinstance(config, RunConfig):
        return read_config(expand_user(config), overrides)
    return config_of(config_document(config), "config", overrides)


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a config from YAML text.

    Args:
        text: The document.
        source: Its name in messages.
        overrides: `section.field=value`, each laid over it.

    Raises:
        InputError: If the text or an override is wrong.
    """
    document = parse_yaml(text, source)
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise InputError(f"{source}: expected sections such as `model:`, found {document!r:.80}")
    # A section whose every line is commented out is None to YAML.
    document = {key: value for key, value in document.items() if value is not None}
    return config_of(document, source, overrides)


def config_of(document: dict[str, Any], source: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Check a document of plain data, with overrides laid over it.

    Raises:
        InputError: If a value or an override is wrong; the message lists every mistake.
    """
    for override in overrides:
        apply_override(document, override)
    try:
        return adapter().validate_python(document)
    except ValidationError as error:
        raise InputError(format_validation_error(error, source)) from None


def config_document(config: RunConfig) -> dict[str, Any]:
    """Return a config as plain data, each section with its kind first."""
    return adapter().dump_python(config, mode="json")


def config_yaml(config: RunConfig) -> str:
    """Write a config as the YAML that `parse_config` reads back."""
    return write_yaml(config_document(config))


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
