"""Write `docs/reference.md` from the code: every command and every field of a config.

Run by `make docs`; a test holds the file against what this would write.
"""

import inspect
import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import typer

from sceneparse.cli import app
from sceneparse.config import RunConfig
from sceneparse.config.schema import descriptions_of, fields_of, sections_of
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.settings import DATASETS
from sceneparse.inference.settings import REFINEMENTS
from sceneparse.losses.settings import LOSSES
from sceneparse.models.settings import MODELS
from sceneparse.optimization.settings import OPTIMIZERS, SCHEDULES

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
        "A run is one YAML file. Every field has a default unless it is required; `null` switches "
        "a field off.",
        "",
    ]
    done: set[type] = set()
    for name, annotation in fields_of(RunConfig).items():
        lines += [*_section(name, annotation, getattr(RunConfig, name), done), ""]
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
            note = " Required."
        elif not is_argument and default not in (None, False):
            note = f" Default: {default}."
        yield f"- {shown}: {parameter.help or ''}{note}".rstrip(": ")


def _section(name: str, annotation: Any, default: Any, done: set[type]) -> list[str]:
    """Describe all kinds of a section that are not described yet, each with its own sections."""
    sections = {kind: cls for kind, cls in sections_of(annotation).items() if cls not in done}
    done.update(sections.values())
    if not sections:
        description = descriptions_of(RunConfig)[name]
        return [f"### `{name}`", "", f"Default: {_value(default)}. {description}"]
    lines: list[str] = []
    shared: list[str] = []
    if PublishedData in {base for section in sections.values() for base in section.__mro__}:
        shared = _rows(PublishedData)
        lines += [f"### `{name}`, every published data set", "", *_table(shared)]
    for kind, section in sections.items():
        title = f"`{name}`" + (f", kind `{kind}`" if kind else "")
        lines += [f"### {title}", "", inspect.cleandoc(section.__doc__ or ""), ""]
        known = shared if issubclass(section, PublishedData) else []
        lines += _table([row for row in _rows(section) if row not in known])
        for key, inner in fields_of(section).items():
            if not done.issuperset(sections_of(inner).values()):
                lines += [*_section(f"{name}.{key}", inner, None, done), ""]
    return lines[:-1]


def _rows(section: type) -> list[str]:
    descriptions = descriptions_of(section)
    return [
        f"| `{field.name}` | {_default(field)} | {descriptions[field.name]} |"
        for field in fields(section)
    ]


def _table(rows: list[str]) -> list[str]:
    return ["| field | default | |", "|---|---|---|", *rows, ""] if rows else []


def _default(field: Field[Any]) -> str:
    return "required" if field.default is MISSING else _value(field.default)


def _value(value: Any) -> str:
    """Write a default as YAML has it; of settings of one of several classes their kind."""
    if is_dataclass(value):
        kinds = {**DATASETS, **MODELS, **LOSSES, **OPTIMIZERS, **SCHEDULES, **REFINEMENTS}
        return next((f"kind `{kind}`" for kind, cls in kinds.items() if cls is type(value)), "")
    is_text = isinstance(value, str | Path)
    return f"`{value if is_text else json.dumps(value)}`"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    click.echo(f"written: {TARGET}")
