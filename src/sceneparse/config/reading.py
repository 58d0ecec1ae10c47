"""From YAML and dotted overrides to a config, and back; every mistake named with its path."""

import difflib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from sceneparse.config.run import RunConfig
from sceneparse.errors import InputError
from sceneparse.system.paths import expanded
from sceneparse.system.yaml_text import parse_yaml


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a config from a YAML file.

    Args:
        path: The file.
        overrides: `section.field=value`, each laid over the file; the value is YAML.

    Raises:
        InputError: If the file or an override is wrong; the message lists every mistake.
    """
    # The configs of the repository are part of the package too, under the same path.
    packaged = resources.files("sceneparse") / path.as_posix()
    source = packaged if packaged.is_file() and not path.exists() else path
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    return parse_config(text, str(path), overrides)


def resolve_config(config: RunConfig | str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return a config that is given as such or as a YAML file, with overrides laid over it.

    Raises:
        InputError: If the file or an override is wrong.
    """
    if not isinstance(config, RunConfig):
        return read_config(expanded(config), overrides)
    return parse_config(config_yaml(config), "config", overrides) if overrides else config


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a config from YAML text; `source` names it in messages.

    Raises:
        InputError: If the text or an override is wrong.
    """
    document = parse_yaml(text, source)
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise InputError(f"{source}: expected sections such as `model:`, found {document!r:.80}")
    # A section whose every line is commented out is None to YAML.
    document = {key: value for key, value in document.items() if value is not None}
    for override in overrides:
        _apply(document, override)
    try:
        return RunConfig.model_validate(document)
    except ValidationError as error:
        raise InputError(_explained(error, source)) from None


def config_yaml(config: RunConfig) -> str:
    """Write a config as the YAML that `parse_config` reads back."""
    document = _kinds_first(config.model_dump(mode="json"))
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _kinds_first(value: Any) -> Any:
    """Let each section begin with its `kind`; pydantic begins with the fields of the base class."""
    match value:
        case {"kind": kind, **rest}:
            return {"kind": kind} | {key: _kinds_first(inner) for key, inner in rest.items()}
        case dict():
            return {key: _kinds_first(inner) for key, inner in value.items()}
        case list():
            return [_kinds_first(inner) for inner in value]
        case _:
            return value


def config_schema() -> str:
    """Write the JSON Schema of a config, for editors."""
    return json.dumps(RunConfig.model_json_schema(), indent=2)


def config_differences(asked: RunConfig, stored: RunConfig) -> list[str]:
    """List where a config asks for something else than a stored, resolved one.

    What is `auto` in the one that is asked for fits whatever it was resolved to. Where data and
    labels lie, on what the run computes and what it draws may differ: the numbers stay the same.
    """
    wanted, held = _flat(asked.model_dump(mode="json")), _flat(stored.model_dump(mode="json"))
    return [
        f"{path}: {wanted.get(path)} instead of {held.get(path)}"
        for path in dict.fromkeys([*wanted, *held])
        if wanted.get(path) not in ("auto", held.get(path)) and not path.startswith(_MAY_DIFFER)
    ]


def resumed_config(asked: RunConfig, stored: RunConfig) -> RunConfig:
    """Return the stored config with what may differ taken from the one that is asked for."""
    training = stored.training.model_copy(
        update={name: getattr(asked.training, name) for name in ("device", "threads", "processes")}
    )
    paths = ("root", "cache", "labels")
    moved = {name: getattr(asked.data, name) for name in paths if hasattr(asked.data, name)}
    data = stored.data.model_copy(update=moved)
    return stored.model_copy(update={"training": training, "data": data, "report": asked.report})


_MAY_DIFFER = (
    "data.root",
    "data.cache",
    "data.labels",
    "training.device",
    "training.threads",
    "training.processes",
    "report.",
)


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            flat |= _flat({str(place): item for place, item in enumerate(value)}, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _apply(document: dict[str, Any], override: str) -> None:
    """Lay `section.field=value` over a parsed document."""
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise InputError(f"{override}: expected section.field=value, such as optimizer.lr=3e-4")
    place: dict[str, Any] = document
    for key in keys[:-1]:
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            raise InputError(f"{override}: `{key}` is no section")
        place = inner
    try:
        place[keys[-1]] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        place[keys[-1]] = value
    if keys[-1] == "kind":
        _forget_other_kinds(place, keys[:-1])


def _forget_other_kinds(place: dict[str, Any], path: Sequence[str]) -> None:
    """Drop the fields of a section that only other kinds of it have: what a run stores has all."""
    sections: list[type[BaseModel]] = [RunConfig]
    for key in path:
        fields = [section.model_fields.get(key) for section in sections]
        sections = [inner for field in fields if field for inner in _sections(field.annotation)]
    chosen = [section for section in sections if _kind(section) == place["kind"]]
    if chosen:
        known = {name for section in sections for name in section.model_fields}
        for name in known - chosen[0].model_fields.keys():
            place.pop(name, None)


def _explained(error: ValidationError, source: str) -> str:
    """Turn pydantic's mistakes into one line each: path, what was found, and the fix."""
    lines: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        place = _place(detail["loc"])
        lines.setdefault(place.path, []).append(_mistake(place, detail))
    return "\n".join(
        [f"{source}:", *(f"  {path}: {'; or '.join(said)}" for path, said in lines.items())]
    )


class _Place(NamedTuple):
    """Where a mistake is.

    Attributes:
        path: Dotted.
        fields: Those of the section where it is.
        kinds: The sections that could be there.
    """

    path: str
    fields: list[str]
    kinds: list[type[BaseModel]]

    @property
    def key(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def _mistake(place: _Place, detail: Mapping[str, Any]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key; {_instead(place)}"
        case "union_tag_invalid":
            context = detail["ctx"]
            return f"kind `{context['tag']}` is unknown; expected one of {context['expected_tags']}"
        case "union_tag_not_found" | "model_attributes_type":
            return _without_kind(place, detail["input"])
        case "missing":
            return "missing, and there is no default"
        case "value_error":  # raised by a section, which says itself what it found
            return str(detail["ctx"]["error"])
        case _:
            return f"{detail['msg']}, found {detail['input']!r:.60}"


def _without_kind(place: _Place, found: object) -> str:
    kinds = [_kind(section) for section in place.kinds]
    if isinstance(found, str) and found in kinds:
        return f"found {found!r}; did you mean `{place.path}.kind={found}`?"
    known = ", ".join(f"'{kind}'" for kind in kinds)
    if isinstance(found, dict):
        return f"names no kind; expected one of {known}"
    return f"expected fields, and a kind of {known}; found {found!r:.60}"


def _place(location: Sequence[int | str]) -> _Place:
    """Find the place of a mistake.

    Pydantic puts the `kind` of a union, and the type that a field might have had, into the
    location; both are left out of the path.
    """
    section: type[BaseModel] | None = RunConfig
    choices: list[type[BaseModel]] = []
    path: list[str] = []
    fields, kinds = list(RunConfig.model_fields), choices
    for part in location:
        named = {_kind(choice): choice for choice in choices}
        if part in named and len(choices) > 1:
            section, kinds, choices = named[str(part)], choices, []
            fields = list(section.model_fields)
            continue
        if section is None and not isinstance(part, int):
            continue
        path.append(str(part))
        if isinstance(part, int):  # an item of a list may be what the list is of
            continue
        field = section.model_fields.get(part) if section else None
        choices = _sections(field.annotation) if field else []
        section = choices[0] if len(choices) == 1 else None
        if section or choices:
            fields, kinds = list(section.model_fields) if section else fields, choices
    return _Place(".".join(path), fields, kinds)


def _instead(place: _Place) -> str:
    """Say what could be meant by a key that is not known where it is."""
    for section in place.kinds:
        if place.key in section.model_fields:
            return f"it belongs to `{place.path.rpartition('.')[0]}.kind: {_kind(section)}`"
    close = difflib.get_close_matches(place.key, place.fields, 1)
    if close:
        return f"did you mean `{close[0]}`?"
    for name, field in RunConfig.model_fields.items():
        if any(place.key in section.model_fields for section in _sections(field.annotation)):
            return f"did you mean `{name}.{place.key}`?"
    return "known: " + ", ".join(place.fields)


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """List the sections that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        arguments = arguments[:1]
    return [section for argument in arguments for section in _sections(argument)]


def _kind(section: type[BaseModel]) -> str | None:
    field = section.model_fields.get("kind")
    return get_args(field.annotation)[0] if field else None
