"""Classes of a data set: names, colours, and the conversion between raw ids and train ids."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.errors import InputError

# Train ids or raw ids, uint8 or uint16.
Mask = NDArray[np.unsignedinteger[Any]]
Color = tuple[int, int, int]

MAX_RAW_ID, MAX_IGNORED_ID = 65534, 65535
# Names, in lower case, by which annotation tools call what lies in no shape.
BACKGROUND_NAMES = frozenset({"background", "_background_"})


@dataclass(frozen=True)
class Labels:
    """The classes of a data set, with their ids in annotation files.

    In memory, a mask holds train ids: `0 .. num_classes - 1`, or `ignore_index` for unlabelled
    pixels. Annotation files hold raw ids, which may start at 1 or have gaps.

    Attributes:
        class_names: Name of each class, by train id.
        colors: RGB triple in 0..255 of each class, by train id.
        raw_ids: Id of each class in annotation files, by train id.
        ignored_ids: Raw ids of unlabelled pixels.
        source: The labels file that a user can edit, for messages; empty for published classes.
    """

    class_names: tuple[str, ...]
    colors: tuple[Color, ...]
    raw_ids: tuple[int, ...]
    ignored_ids: tuple[int, ...] = ()
    source: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse contradictory labels."""
        if not self.class_names:
            raise InputError("labels without class names; give at least one")
        if not len(self.class_names) == len(self.colors) == len(self.raw_ids):
            raise InputError(
                f"labels with {len(self.class_names)} names, {len(self.colors)} colours and "
                f"{len(self.raw_ids)} ids; expected one name, colour and id per class"
            )
        ids = [*self.raw_ids, *self.ignored_ids]
        duplicates = [raw for raw, count in Counter(ids).items() if count > 1]
        if duplicates:
            raise InputError(
                f"labels with duplicate id {_format_ids(duplicates)}; give each class its own id, "
                "and leave the ids of classes out of ignored_ids"
            )
        if min(ids) < 0 or max(self.raw_ids) > MAX_RAW_ID or max(ids) > MAX_IGNORED_ID:
            raise InputError(
                f"labels with ids {min(ids)}..{max(ids)}; expected class ids in "
                f"0..{MAX_RAW_ID}, and ignored ids in 0..{MAX_IGNORED_ID}"
            )
        if not all(0 <= value <= 255 for color in self.colors for value in color):
            raise InputError("labels with colours outside 0..255; expected RGB triples of integers")

    @property
    def num_classes(self) -> int:
        """Number of classes, without unlabelled pixels."""
        return len(self.class_names)

    @property
    def ignore_index(self) -> int:
        """Train id of unlabelled pixels: 255 with up to 255 classes, else 65535."""
        return 255 if self.num_classes <= 255 else 65535

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Data type of a mask of train ids: uint8 with up to 255 classes, else uint16."""
        return np.uint8 if self.num_classes <= 255 else np.uint16

    @property
    def void_id(self) -> int:
        """Id of void pixels in written masks: the first ignored id, or else `ignore_index`."""
        return self.ignored_ids[0] if self.ignored_ids else self.ignore_index

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """Colours of the classes, `(num_classes, 3)` in 0..255."""
        return np.array(self.colors, dtype=np.uint8)

    def encode(self, raw: Mask) -> Mask:
        """Convert raw ids to train ids.

        Args:
            raw: Raw ids `(H, W)` of an annotation file.

        Returns:
            Train ids `(H, W)`, with `ignore_index` at unlabelled pixels.

        Raises:
            InputError: If a raw id is neither a class nor ignored.
        """
        if raw.dtype == np.uint8 and self.num_classes < _UNKNOWN_BYTE:
            # Translating bytes takes a fifth of the time, and training encodes every mask.
            content = bytearray(raw.tobytes()).translate(self._train_id_bytes)
            if _UNKNOWN_BYTE not in content:
                return np.frombuffer(content, np.uint8).reshape(raw.shape)
        mask = self._train_id_table[raw]
        unknown = mask == _UNKNOWN
        if unknown.any():
            raise InputError(
                f"values {_format_ids(np.unique(raw[unknown]).tolist())} are neither a class "
                f"({_format_ids(self.raw_ids)}) nor ignored "
                f"({_format_ids(self.ignored_ids) or 'none'}); {self._fix(raw)}"
            )
        mask = np.where(mask == _VOID, self.ignore_index, mask)
        return mask.astype(self.dtype)

    def decode(self, mask: Mask) -> Mask:
        """Convert train ids `(H, W)` to the raw ids of annotation files.

        `ignore_index` becomes `void_id`.
        """
        highest = max(*self.raw_ids, *self.ignored_ids, self.void_id)
        dtype = np.uint8 if highest <= 255 else np.uint16
        table = np.full(self.ignore_index + 1, self.void_id, dtype=dtype)
        table[: self.num_classes] = self.raw_ids
        return table[mask]

    def train_ids(self, wanted: Sequence[str | int]) -> tuple[int, ...]:
        """Return the train ids of classes given by name or by raw id, in ascending order.

        Raises:
            InputError: If one is no class; the message names those of similar names.
        """
        # A name may look like the id of another class; names come first.
        id_of_name = {str(raw): index for index, raw in enumerate(self.raw_ids)}
        id_of_name |= {name: index for index, name in enumerate(self.class_names)}
        unknown = [str(each) for each in wanted if str(each) not in id_of_name]
        if unknown:
            names = {name.lower(): name for name in self.class_names}
            near = get_close_matches(unknown[0].lower(), names, 3)
            found = [names[name] for name in near]
            hint = f"did you mean {' or '.join(found)}?" if found else "none has a similar name."
            raise InputError(
                f"{unknown[0]!r}: no class of this model; {hint} Expected names or ids of its "
                f"{self.num_classes} classes, such as {self.class_names[0]} or {self.raw_ids[0]}",
                "classes",
            )
        return tuple(sorted({id_of_name[str(each)] for each in wanted}))

    def _fix(self, raw: Mask) -> str:
        """Return the advice for a mask with unknown ids."""
        # Only this error needs it, and it imports ruamel.yaml.
        from sceneparse.labels.suggestions import suggested_labels

        suggestion = suggested_labels(np.unique(raw).tolist(), self) if self.source else None
        if suggestion:
            lines = " and ".join(f"`{line}`" for line in suggestion.splitlines())
            return f"if the ids mean that, write {lines} into {self.source}; else fix the mask"
        return (
            "fix the mask, add classes with these ids to the labels, or add the ids to ignored_ids"
        )

    @cached_property
    def _train_id_bytes(self) -> bytes:
        """Train id of each raw id in 0..255, or `_UNKNOWN_BYTE`, for `bytes.translate`."""
        table = self._train_id_table[:256]
        table = np.where(table == _VOID, self.ignore_index, table)
        return np.where(table == _UNKNOWN, _UNKNOWN_BYTE, table).astype(np.uint8).tobytes()

    @cached_property
    def _train_id_table(self) -> NDArray[np.int32]:
        table = np.full(65536, _UNKNOWN, dtype=np.int32)
        table[list(self.raw_ids)] = np.arange(self.num_classes)
        table[list(self.ignored_ids)] = _VOID
        return table

    def to_json(self) -> str:
        """Return the labels as JSON text, which `labels_from_text` reads."""
        classes = [
            {"id": raw, "name": name, "color": list(color)}
            for raw, name, color in zip(self.raw_ids, self.class_names, self.colors, strict=True)
        ]
        return json.dumps({"classes": classes, "ignored_ids": list(self.ignored_ids)}, indent=1)


@cache
def ade20k_labels() -> Labels:
    """Return the 150 classes of the ADE20K scene-parsing benchmark (Zhou et al., 2017).

    The raw ids are 1..150; raw id 0, "other", is ignored.
    """
    return replace(table_labels("ade20k"), ignored_ids=(0,))


@cache
def table_labels(name: str) -> Labels:
    """Return the classes in the table `assets/NAME.csv`.

    The table has a row for each raw id, with its name and colour; a row may mark an ignored id.
    """
    with (_tables() / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    classes = [row for row in rows if not row.get("ignored")]
    return Labels(
        class_names=tuple(row["name"] for row in classes),
        colors=tuple((int(row["r"]), int(row["g"]), int(row["b"])) for row in classes),
        raw_ids=tuple(int(row["id"]) for row in classes),
        ignored_ids=tuple(int(row["id"]) for row in rows if row.get("ignored")),
    )


def table_names() -> list[str]:
    """List the tables that `table_labels` reads."""
    return sorted(
        file.name.removesuffix(".csv") for file in _tables().iterdir() if file.name.endswith(".csv")
    )


def _tables() -> Traversable:
    return resources.files("sceneparse") / "assets"


def _format_ids(values: "tuple[int, ...] | list[int]") -> str:
    """Format ids for a message: ranges as `1..150`, at most eight parts."""
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
# With fewer than 254 classes this byte is neither a train id nor `ignore_index`.
_UNKNOWN_BYTE = 254
