"""Folders, and files that are written whole or not at all."""

import errno
import math
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.resources.abc import Traversable
from pathlib import Path
from uuid import uuid4

from sceneparse.errors import InputError

# Names of the files that `replacing` has not completed.
PARTIAL_FILES = ".*.part"


def create_folder(path: Path, *parameters: str) -> None:
    """Create a folder and those above it, if they do not exist.

    Args:
        path: The folder.
        parameters: The parameters that an error names, as of `InputError`.

    Raises:
        InputError: If the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: the folder cannot be created ({error.strerror}); choose another folder",
            *parameters,
        ) from None


def require_empty_folder(path: Path, *parameters: str) -> None:
    """Refuse a place for new files that holds something; it need not exist.

    Args:
        path: The folder.
        parameters: The parameters that an error names, as of `InputError`.

    Raises:
        InputError: If it is a file, or a folder with something in it.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path}: not an empty folder; choose another one", *parameters)


def free_bytes(path: Path) -> float:
    """Return the free space on the disk of a file or folder, which need not exist, in bytes.

    Some network file systems do not tell; then it is infinite.
    """
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    usage = shutil.disk_usage(existing)
    return usage.free if usage.total else math.inf


def read_short_text(path: Path | Traversable, max_bytes: int = 2**24) -> str:
    """Read a text file in UTF-8, but not one that would fill the memory.

    Args:
        path: The file.
        max_bytes: Its largest size.

    Raises:
        InputError: If it is larger.
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not in UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InputError(
            f"{path}: found more than {max_bytes / 1e6:.0f} MB, expected a short text; give "
            "another file"
        )
    return content.decode()


def require_free_space(path: Path, needed: int, what: str) -> None:
    """Refuse to begin what would fill a disk.

    Args:
        path: A file or folder to write, which need not exist.
        needed: Number of bytes to write.
        what: The first words of the message, such as `the images alone take`.

    Raises:
        InputError: If there is less free space on the disk.
    """
    free = free_bytes(path)
    if needed > free:
        raise InputError(
            f"{path}: found {free / 1e6:,.0f} MB of free disk space, and {what} "
            f"{needed / 1e6:,.0f} MB; free some space, or choose a folder on another disk"
        )


def synchronise_folder(path: Path) -> None:
    """Wait until new and renamed files of a folder are on the disk, as far as the system can."""
    if os.name == "nt":
        return  # Windows opens no folders.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems synchronise no folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Hand out a temporary file beside `path`, and move it there once it is complete.

    Several processes may write the same file at the same time: one of them wins.

    Raises:
        OSError: If the file cannot be written; what was there before is untouched. After a crash
            at any moment, the file is as before or complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        synchronise_folder(path.parent)
    finally:
        # On a disk that has become read-only, the first error is the one to tell.
        with suppress(OSError):
            temporary.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all.

    Raises:
        OSError: If the file cannot be written; what was there before is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
