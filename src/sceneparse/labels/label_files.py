"""Reading labels from `labels.yaml`, `labels.json`, or the header of a weights file."""

import colorsys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sceneparse.errors import InputError
from sceneparse.labels import Color, Labels, ade20k_labels, table_labels, table_names
from sceneparse.system.files import read_short_text
from sceneparse.system.paths import expand_user
from sceneparse.system.yaml_text import parse_yaml


def read_labels(name_or_path: str) -> Labels:
    """Read labels from a YAML or JSON file, or return those of a published data set by its name.

    Raises:
        InputError: If the file does not exist or does not hold labels.
    """
    if name_or_path == "ade20k":
        return ade20k_labels()
    if name_or_path in table_names():
        return table_labels(name_or_path)
    path = expand_user(name_or_path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such labels file; give labels.json, labels.yaml, or one of "
            f"{', '.join(table_names())}"
        )
    try:
        text = read_short_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    return labels_from_text(text, str(path))


def labels_from_text(text: str, source: str) -> Labels:
    """Read labels from YAML or JSON text.

    Args:
        text: A document with `classes` and optionally `ignored_ids`. `classes` is a list of names,
            a list of `{id, name, color}`, or a mapping from id to name. Missing colours are
            chosen by `distinct_colors`; missing ids count from 0.
        source: Name of the file, for messages.

    Raises:
        InputError: If the text does not hold labels.
    """
    document = parse_yaml(text, source)
    if not isinstance(document, Mapping) or not document.get("classes"):
        raise InputError(f"{source}: expected a key `classes` with the names of the classes")
    try:
        _check_keys(document, ("classes", "ignored_ids"))
        entries = _class_entries(document["classes"])
        _check_names([str(entry.get("name")) for entry in entries])
        default_colors = distinct_colors(len(entries))
        return Labels(
            class_names=tuple(_class_name(entry.get("name")) for entry in entries),
            colors=tuple(
                _color(entry.get("color", default_colors[index]))
                for index, entry in enumerate(entries)
            ),
            raw_ids=tuple(
                _integer(entry.get("id", index), "an id") for index, entry in enumerate(entries)
            ),
            ignored_ids=tuple(
                _integer(raw, "an id") for raw in _list(document.get("ignored_ids"), "[0, 255]")
            ),
            source=source,
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def distinct_colors(count: int) -> tuple[Color, ...]:
    """Return `count` distinct colours: hues in golden-ratio steps around the hue circle."""
    triples = (
        colorsys.hsv_to_rgb(index * 0.618034 % 1.0, 0.65 if index % 2 else 0.85, 0.9)
        for index in range(count)
    )
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in triples)


def _class_entries(classes: Any) -> list[Mapping[str, Any]]:
    """Convert each accepted form of `classes` to a list of `{id, name, color}`."""
    if isinstance(classes, Mapping):
        return [{"id": key, "name": name} for key, name in classes.items()]
    items = _list(classes, "[wall, floor]")
    entries = [entry if isinstance(entry, Mapping) else {"name": entry} for entry in items]
    for entry in entries:
        _check_keys(entry, ("id", "name", "color"))
    return entries


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that occur twice: scores and drawings tell classes apart by their names."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(
            f"{len(twice)} class names occur twice: {', '.join(twice[:5])}; give each class a name "
            "of its own, or map several ids to one class when you write the masks"
        )


def _check_keys(document: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = [str(key) for key in document if key not in allowed]
    if unknown:
        raise InputError(f"unknown key `{unknown[0]}`; known: {', '.join(allowed)}")


def _list(values: Any, example: str) -> Sequence[Any]:
    if values is None:
        return ()
    if not isinstance(values, (list, tuple)):
        raise InputError(f"expected a list such as {example}, found {values!r:.60}")
    return values


def _class_name(name: Any) -> str:
    if isinstance(name, bool):
        raise InputError(f"a class is named {name}, which YAML reads as a boolean; quote the name")
    if not isinstance(name, (str, int, float)) or name == "":
        raise InputError(
            f"expected the name of a class, found {name!r:.60}; give names, a mapping like "
            "{1: wall}, or a list of entries like {id: 1, name: wall, color: [120, 120, 120]}"
        )
    return str(name)


def _integer(value: Any, description: str) -> int:
    """Return an integer; also parse text, since the keys of JSON are text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"expected {description} as an integer, found {value!r:.60}")
    return value


def _color(values: Any) -> Color:
    if not isinstance(values, (list, tuple)) or len(values) != 3:
        raise InputError(f"expected a colour such as [120, 120, 120], found {values!r:.60}")
    red, green, blue = (_integer(value, "a colour value in 0..255") for value in values)
    return red, green, blue
