"""A config as YAML with comments: fields with a reason first, then the defaults."""

import textwrap
from collections.abc import Mapping
from typing import Any

from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document
from sceneparse.system.yaml_text import write_yaml

WIDTH = 110


def commented_yaml(config: RunConfig, reasons: Mapping[str, str], header: str) -> str:
    """Write a config as YAML that `parse_config` reads back, with comments.

    Args:
        config: The run; every field of it is written.
        reasons: The reason of a field by its dotted path.
        header: Comment at the top.

    Raises:
        ValueError: If a reason belongs to no field.
    """
    document = config_document(config)
    known = {
        f"{name}.{key}"
        for name, section in document.items()
        for key in (section if isinstance(section, dict) else ())
    }
    unknown = set(reasons) - known
    if unknown:
        raise ValueError(f"reasons for unknown fields: {', '.join(sorted(unknown))}")
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for name, section in document.items():
        if isinstance(section, dict):
            lines += ["", f"{name}:", *_section(name, section, reasons)]
        else:
            lines += ["", f"{name}: {_flow(section)}"]
    return "\n".join(lines) + "\n"


def _section(name: str, section: Mapping[str, Any], reasons: Mapping[str, str]) -> list[str]:
    keys = sorted(section, key=lambda key: key != "kind")
    decided = [key for key in keys if f"{name}.{key}" in reasons]
    lines: list[str] = []
    for key in decided:
        lines += _field(f"  {key}: {_flow(section[key])}", reasons[f"{name}.{key}"])
    others = [key for key in keys if key not in decided]
    if others and decided:
        lines.append("  # defaults:")
    return lines + [f"  {key}: {_flow(section[key])}" for key in others]


def _field(line: str, reason: str) -> list[str]:
    """Put a reason beside a field, or above it if the line would be too long."""
    beside = f"{line}  # {reason}"
    if len(beside) <= WIDTH:
        return [beside]
    return [*textwrap.wrap(reason, WIDTH, initial_indent="  # ", subsequent_indent="  # "), line]


def _flow(value: Any) -> str:
    """Write a value in one line."""
    return write_yaml(value, in_one_line=True)
