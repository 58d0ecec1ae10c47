"""Classes of a data set: names, colours, and the way from annotation ids to train ids and back."""

import colorsys
import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.errors import InputError

# Train ids or raw ids, uint8 or uint16.
Mask = NDArray[np.unsignedinteger[Any]]
Color = tuple[int, int, int]

LARGEST_RAW_ID = 65534


@dataclass(frozen=True)
class Labels:
    """The classes of a data set, and how its annotation files number them.

    A mask inside sceneparse holds train ids: `0 .. num_classes - 1`, or `ignore_index` where the
    annotation says nothing. Annotation files hold raw ids, which may start at 1 or have gaps.

    Attributes:
        class_names: One name per train id.
        colors: One RGB triple in 0..255 per train id.
        raw_ids: The id of each class in annotation files, one per train id.
        ignored_ids: Raw ids that mean "unlabelled".
    """

    class_names: tuple[str, ...]
    colors: tuple[Color, ...]
    raw_ids: tuple[int, ...]
    ignored_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse labels that contradict themselves."""
        if not self.class_names:
            raise InputError("labels without class names; give at least one")
        if not len(self.class_names) == len(self.colors) == len(self.raw_ids):
            raise InputError(
                f"labels with {len(self.class_names)} names, {len(self.colors)} colours and "
                f"{len(self.raw_ids)} ids; expected one of each per class"
            )
        ids = [*self.raw_ids, *self.ignored_ids]
        twice = [raw for raw, count in Counter(ids).items() if count > 1]
        if twice:
            raise InputError(
                f"labels where id {_listed(twice)} stands for more than one thing; "
                "give each class its own id, and ignore none of them"
            )
        if min(ids) < 0 or max(ids) > LARGEST_RAW_ID:
            raise InputError(
                f"labels with ids {min(ids)}..{max(ids)}; expected ids in 0..{LARGEST_RAW_ID}"
            )
        if not all(0 <= value <= 255 for color in self.colors for value in color):
            raise InputError("labels with colours outside 0..255; expected RGB in whole numbers")

    @property
    def num_classes(self) -> int:
        """Number of classes, void not counted."""
        return len(self.class_names)

    @property
    def ignore_index(self) -> int:
        """The train id of unlabelled pixels: 255 where it fits in one byte, else 65535."""
        return 255 if self.num_classes <= 255 else 65535

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of a mask of train ids."""
        return np.uint8 if self.num_classes <= 255 else np.uint16

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """Colours as an array `(num_classes, 3)` in 0..255."""
        return np.array(self.colors, dtype=np.uint8)

    def encode(self, raw: Mask) -> Mask:
        """Turn raw ids of an annotation into train ids.

        Args:
            raw: Annotation `(H, W)` of raw ids.

        Returns:
            Mask `(H, W)` of train ids and `ignore_index`.

        Raises:
            InputError: If the annotation holds ids that are neither classes nor ignored.
        """
        mask = self._train_ids[raw]
        unknown = mask == _UNKNOWN
        if unknown.any():
            raise InputError(
                f"values {_listed(np.unique(raw[unknown]).tolist())} are neither a class "
                f"({_listed(self.raw_ids)}) nor ignored ({_listed(self.ignored_ids) or 'none'}); "
                "fix the mask, name them in the classes of the labels, or add them to ignored_ids"
            )
        mask = np.where(mask == _VOID, self.ignore_index, mask)
        return mask.astype(self.dtype)

    def decode(self, mask: Mask) -> Mask:
        """Turn train ids `(H, W)` into the raw ids of annotation files.

        `ignore_index` becomes the first ignored id, or stays as it is where there is none.
        """
        highest = max(*self.raw_ids, *self.ignored_ids, 0)
        void = self.ignored_ids[0] if self.ignored_ids else self.ignore_index
        dtype = np.uint8 if max(highest, void) <= 255 else np.uint16
        table = np.full(self.ignore_index + 1, void, dtype=dtype)
        table[: self.num_classes] = self.raw_ids
        return table[mask]

    @cached_property
    def _train_ids(self) -> NDArray[np.int32]:
        table = np.full(65536, _UNKNOWN, dtype=np.int32)
        table[list(self.raw_ids)] = np.arange(self.num_classes)
        table[list(self.ignored_ids)] = _VOID
        return table

    def to_json(self) -> str:
        """Write the labels as JSON text that `from_json` reads back."""
        classes = [
            {"id": raw, "name": name, "color": list(color)}
            for raw, name, color in zip(self.raw_ids, self.class_names, self.colors, strict=True)
        ]
        return json.dumps({"classes": classes, "ignored_ids": list(self.ignored_ids)}, indent=1)

    @classmethod
    def from_json(cls, text: str, source: str = "labels.json") -> "Labels":
        """Read labels from JSON text.

        Args:
            text: JSON with `classes`, a list of `{id, name, color}`, and `ignored_ids`. A colour
                that is not given is made up; ids that are not given count from 0.
            source: Name of the file, for messages.

        Raises:
            InputError: If the text is not such JSON.
        """
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{source}: not JSON ({error})") from None
        return cls.from_mapping(document, source)

    @classmethod
    def from_mapping(cls, document: Any, source: str) -> "Labels":
        """Read labels from a parsed JSON or YAML document.

        `classes` is a list of names, a list of `{id, name, color}`, or a mapping from id to name.

        Raises:
            InputError: If the document has another form.
        """
        if not isinstance(document, Mapping) or not document.get("classes"):
            raise InputError(f"{source}: expected a key `classes` with the names of the classes")
        try:
            _check_keys(document, ("classes", "ignored_ids"))
            entries = _entries(document["classes"])
            made_up = distinct_colors(len(entries))
            return cls(
                class_names=tuple(_name(entry.get("name")) for entry in entries),
                colors=tuple(
                    _color(entry.get("color", made_up[index]))
                    for index, entry in enumerate(entries)
                ),
                raw_ids=tuple(
                    _whole(entry.get("id", index), "an id") for index, entry in enumerate(entries)
                ),
                ignored_ids=tuple(
                    _whole(raw, "an id") for raw in _list(document.get("ignored_ids"), "[0, 255]")
                ),
            )
        except InputError as error:
            raise InputError(f"{source}: {error}") from None


def ade20k_labels() -> Labels:
    """Return the 150 classes of the ADE20K scene-parsing benchmark (Zhou et al., 2017).

    Raw ids are 1..150; raw 0, "other", is ignored.
    """
    with (resources.files("sceneparse") / "assets" / "ade20k.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Labels(
        class_names=tuple(row["name"] for row in rows),
        colors=tuple((int(row["r"]), int(row["g"]), int(row["b"])) for row in rows),
        raw_ids=tuple(int(row["id"]) for row in rows),
        ignored_ids=(0,),
    )


def read_labels(name_or_path: str) -> Labels:
    """Return `ade20k`, or the labels of a JSON file.

    Raises:
        InputError: If there is no such file or it does not hold labels.
    """
    if name_or_path == "ade20k":
        return ade20k_labels()
    path = Path(name_or_path)
    if not path.is_file():
        raise InputError(f"{path}: no such labels file; give `ade20k` or a labels.json")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    return Labels.from_json(text, str(path))


def distinct_colors(count: int) -> tuple[Color, ...]:
    """Make up colours that differ, walking the hue circle in golden-ratio steps."""
    triples = (
        colorsys.hsv_to_rgb(index * 0.618034 % 1.0, 0.65 if index % 2 else 0.85, 0.9)
        for index in range(count)
    )
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in triples)


def _entries(classes: Any) -> list[Mapping[str, Any]]:
    """Bring the forms that `classes` may have to `{id, name, color}`."""
    if isinstance(classes, Mapping):
        return [{"id": key, "name": name} for key, name in classes.items()]
    listed = _list(classes, "[wall, floor]")
    entries = [entry if isinstance(entry, Mapping) else {"name": entry} for entry in listed]
    for entry in entries:
        _check_keys(entry, ("id", "name", "color"))
    return entries


def _check_keys(document: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [str(key) for key in document if key not in known]
    if unknown:
        raise InputError(f"unknown key `{unknown[0]}`; known: {', '.join(known)}")


def _list(values: Any, example: str) -> Sequence[Any]:
    if values is None:
        return ()
    if not isinstance(values, (list, tuple)):
        raise InputError(f"expected a list such as {example}, found {values!r:.60}")
    return values


def _name(name: Any) -> str:
    if isinstance(name, bool):
        raise InputError(f"a class is named {name}: YAML reads yes, no, on and off so; quote it")
    if not isinstance(name, (str, int, float)) or name == "":
        raise InputError(
            f"expected the name of a class, found {name!r:.60}; give names, a mapping like "
            "{1: wall}, or a list of entries like {id: 1, name: wall, color: [120, 120, 120]}"
        )
    return str(name)


def _whole(value: Any, what: str) -> int:
    """Return a whole number; the keys of JSON are text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"expected {what} in whole numbers, found {value!r:.60}")
    return value


def _color(values: Any) -> Color:
    if not isinstance(values, (list, tuple)) or len(values) != 3:
        raise InputError(f"expected a colour such as [120, 120, 120], found {values!r:.60}")
    red, green, blue = (_whole(value, "a colour of 0..255") for value in values)
    return red, green, blue


def _listed(values: "tuple[int, ...] | list[int]") -> str:
    """Write ids shortly: runs as `1..150`, at most eight parts."""
    parts: list[str] = []
    run: list[int] = []
    for value in [*sorted(values), None]:
        if run and value != run[-1] + 1:
            parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}")
            run = []
        if value is not None:
            run.append(value)
    return ", ".join(parts[:8]) + (", …" if len(parts) > 8 else "")


_UNKNOWN = -1
_VOID = -2
