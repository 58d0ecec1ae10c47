"""Reading the encoding of protobuf, in which ONNX files are written."""

import os
from collections.abc import Iterator
from typing import BinaryIO

# Kinds of fields, and the lengths of those of fixed length.
_VARINT, _WITH_LENGTH = 0, 2
_LENGTHS = {1: 8, 5: 4}


def fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of the fields of a message that have a length.

    The file is at the start of such a field's content; the caller leaves it at its end.

    Args:
        file: The file, at the start of the message.
        end: Where the message ends, in bytes.

    Raises:
        ValueError: If it is damaged.
    """
    while file.tell() < end:
        number, kind = divmod(_varint(file), 8)
        if kind == _VARINT:
            _varint(file)
            continue
        length = _varint(file) if kind == _WITH_LENGTH else _LENGTHS.get(kind, end)
        if file.tell() + length > end:
            raise ValueError(f"damaged at byte {file.tell()}")
        if kind == _WITH_LENGTH:
            yield number, length
        else:
            file.seek(length, os.SEEK_CUR)


def _varint(file: BinaryIO) -> int:
    """Read a whole number: seven bits per byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends too early")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("damaged number")
