"""Files beside an ONNX file that hold its weights; a stranger's file may name any file."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from sceneparse.artifacts.protobuf import fields
from sceneparse.errors import InputError

_Message: TypeAlias = Literal[
    "model", "training", "graph", "function", "node", "attribute", "sparse", "tensor", "entry"
]
# Which fields of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto lead to a tensor.
_FIELDS: dict[_Message, dict[int, _Message]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {},
}
# Messages inside each other; a graph inside a graph is three of them.
_MAX_DEPTH = 64
# Of the bytes of a key and its value; the longest one names a file.
_MAX_ENTRY = 2**16


def check_external_data(path: Path) -> None:
    """Refuse an ONNX file that takes weights from elsewhere than a file in its folder.

    Raises:
        InputError: If it does, or is broken.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            locations = set(_locations(file, size, "model", 0))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not an ONNX file, or broken ({error}); export the model again"
        ) from None
    for location in sorted(locations):
        if not _is_inside(path.parent, location):
            raise InputError(
                f"{path}: takes weights from {location!r:.200}, expected a file in its own "
                "folder; do not trust this file, and export the model again"
            )


def _is_inside(folder: Path, location: str) -> bool:
    if Path(location).name != location or set(location) & set("\\:\0"):
        return False
    # A link may lead elsewhere.
    try:
        return (folder / location).resolve().parent == folder.resolve()
    except (OSError, RuntimeError):  # a name that is too long; links in a circle
        return False


def _locations(file: BinaryIO, end: int, message: _Message, depth: int) -> Iterator[str]:
    """Yield the file names that a message of protobuf and those inside it give."""
    if depth > _MAX_DEPTH:
        raise ValueError("too many messages inside each other")
    if message == "entry":
        if end - file.tell() > _MAX_ENTRY:
            raise ValueError("the name of a file is too long")
        yield from _location_of(file.read(end - file.tell()))
        return
    inner = _FIELDS[message]
    for number, length in fields(file, end):
        after = file.tell() + length
        if number in inner:
            yield from _locations(file, after, inner[number], depth + 1)
        file.seek(after)


def _location_of(entry: bytes) -> list[str]:
    """Return the values of a pair of key and value, if a key is `location`."""
    file = BytesIO(entry)
    found = [(number, file.read(length)) for number, length in fields(file, len(entry))]
    if (1, b"location") not in found:
        return []
    return [value.decode(errors="replace") for number, value in found if number == 2]
