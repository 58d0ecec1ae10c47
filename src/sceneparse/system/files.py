"""Files that are written whole or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Hand out a temporary file beside `path`, and move it there once it is complete.

    Several processes may write the same file at the same time: one of them wins.

    Raises:
        OSError: If the file cannot be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all.

    Raises:
        OSError: If the file cannot be written; what was there before is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
