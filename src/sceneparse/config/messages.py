"""What pydantic found wrong in a config, in the words of the config."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from sceneparse.config.run_config import RunConfig
from sceneparse.config.schema import fields_of, sections_of

# Most lines, and characters per line, of a message; a file may hold anything.
_LINES, _LENGTH = 40, 1000
Sections = Mapping[str | None, type]


def format_validation_error(error: ValidationError, source: str) -> str:
    """Turn pydantic's mistakes into one line each: path, what was found, and the fix."""
    lines: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        location = _location_of(detail["loc"])
        lines.setdefault(location.path, []).append(_mistake(location, detail))
    listed = [f"  {path}: {'; or '.join(said)}" for path, said in lines.items()]
    shown = [line if len(line) <= _LENGTH else f"{line[:_LENGTH]}…" for line in listed[:_LINES]]
    if len(listed) > _LINES:
        shown.append(f"  and {len(listed) - _LINES} more")
    return "\n".join([f"{source}:", *shown])


class _Location(NamedTuple):
    """Where a mistake is.

    Attributes:
        path: Dotted path of the field.
        fields: The fields of the section around it.
        kinds: The sections that could be there, by kind.
    """

    path: str
    fields: list[str]
    kinds: Sections

    @property
    def key(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def _location_of(parts: Sequence[int | str]) -> _Location:
    """Find the place of a mistake.

    Pydantic puts the `kind` of a section, and the type that a field might have had, among the
    parts; both are left out of the path.
    """
    section: type | None = RunConfig
    choices: Sections = {}
    path: list[str] = []
    fields, kinds = list(fields_of(RunConfig)), choices
    for part in parts:
        if part in choices and len(choices) > 1:
            section, kinds, choices = choices[str(part)], choices, {}
            fields = list(fields_of(section))
            continue
        if section is None and not isinstance(part, int):
            continue
        path.append(str(part))
        if isinstance(part, int):  # an item of a list may be of any kind that the list allows
            continue
        choices = sections_of(fields_of(section).get(part)) if section else {}
        section = next(iter(choices.values())) if len(choices) == 1 else None
        if section or choices:
            fields, kinds = list(fields_of(section)) if section else fields, choices
    return _Location(".".join(path), fields, kinds)


def _mistake(location: _Location, detail: Mapping[str, Any]) -> str:
    match detail["type"]:
        case "unexpected_keyword_argument":
            return f"unknown key; {_instead(location)}"
        case "union_tag_invalid":
            context = detail["ctx"]
            return f"kind `{context['tag']}` is unknown; expected one of {context['expected_tags']}"
        case "union_tag_not_found" | "dataclass_type":
            return _without_kind(location, detail["input"])
        case "missing":
            return "missing, and there is no default"
        case "value_error":  # raised by a settings class, which says itself what it found
            return str(detail["ctx"]["error"])
        case _:
            return f"{detail['msg']}, found {detail['input']!r:.60}"


def _without_kind(location: _Location, found: object) -> str:
    kinds = [kind for kind in location.kinds if kind]
    if isinstance(found, str) and found in kinds:
        return f"found {found!r}; did you mean `{location.path}.kind={found}`?"
    known = ", ".join(f"'{kind}'" for kind in kinds)
    if isinstance(found, dict):
        return f"names no kind; expected one of {known}"
    expected = f"fields, and a kind of {known}" if kinds else "fields"
    return f"expected {expected}; found {found!r:.60}"


def _instead(location: _Location) -> str:
    """Suggest what could be meant by a key that is unknown where it is."""
    for kind, section in location.kinds.items():
        if kind and location.key in fields_of(section):
            return f"it belongs to `{location.path.rpartition('.')[0]}.kind: {kind}`"
    close = difflib.get_close_matches(location.key, location.fields, 1)
    if close:
        return f"did you mean `{close[0]}`?"
    for name, annotation in fields_of(RunConfig).items():
        if any(location.key in fields_of(section) for section in sections_of(annotation).values()):
            return f"did you mean `{name}.{location.key}`?"
    return "known: " + ", ".join(location.fields)
