"""Write `docs/reference.md` from the code: every command and every field of a config.

Run by `make docs`; a test holds the file against what this would write.
"""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sceneparse.cli import app
from sceneparse.config import RunConfig

TARGET = Path(__file__).parent / "reference.md"
INTRODUCTION = """# Reference

Written by `make docs` from the code.

## Commands
"""


def reference() -> str:
    """Return the whole text."""
    lines = [INTRODUCTION]
    root = typer.main.get_command(app)
    for path, command in _commands(root, "sceneparse"):
        lines += [f"### `{path}`", "", (command.help or "").strip(), ""]
        lines += [*_parameters(command), ""]
    lines += ["## Config", ""]
    lines += [
        "A run is one YAML file; every field has a default but where none is given. "
        "`null` switches a field off.",
        "",
    ]
    told: set[type[BaseModel]] = set()
    for name, field in RunConfig.model_fields.items():
        lines += [*_section(name, field, told), ""]
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def _parameters(command: Any) -> Iterator[str]:
    for parameter in command.params:
        names = ", ".join(f"`{name}`" for name in parameter.opts)
        is_argument = parameter.param_type_name == "argument"
        shown = f"`{parameter.name.upper()}`" if is_argument else names
        note = ""
        told = getattr(parameter, "show_default", None)
        default = told if isinstance(told, str) else parameter.default
        if not is_argument and parameter.required:
            note = " To be given."
        elif not is_argument and default not in (None, False):
            note = f" Default: {default}."
        yield f"- {shown}: {parameter.help or ''}{note}".rstrip(": ")


def _section(name: str, field: FieldInfo, told: set[type[BaseModel]]) -> list[str]:
    """Tell all kinds of a section that are not told yet, and after each the sections inside it."""
    sections = [section for section in _sections(field.annotation) if section not in told]
    told.update(sections)
    if not sections:
        return [f"### `{name}`", "", f"`{field.default}` unless given. {field.description or ''}"]
    lines: list[str] = []
    for section in sections:
        kind = section.model_fields.get("kind")
        title = f"`{name}`" + (f", kind `{get_args(kind.annotation)[0]}`" if kind else "")
        lines += [f"### {title}", "", inspect.cleandoc(section.__doc__ or ""), ""]
        rows = [
            f"| `{key}` | {_default(inner)} | {' '.join((inner.description or '').split())} |"
            for key, inner in section.model_fields.items()
            if key != "kind"
        ]
        if rows:
            lines += ["| field | default | |", "|---|---|---|", *rows, ""]
        for key, inner in section.model_fields.items():
            if not told.issuperset(_sections(inner.annotation)):
                lines += [*_section(f"{name}.{key}", inner, told), ""]
    return lines[:-1]


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "to be given"
    kind = getattr(field.default, "kind", None)
    if kind:
        return f"kind `{kind}`"
    # As YAML has it, of which JSON is a part.
    is_text = isinstance(field.default, str | Path)
    return f"`{field.default if is_text else json.dumps(field.default)}`"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    click.echo(f"written: {TARGET}")
