"""Write the files of a run; a full, read-only or limited disk ends with one message."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sceneparse.errors import InputError
from sceneparse.system.files import free_bytes, replacing

_NO_SPACE = "free some disk space"
_NOT_ALLOWED = "make the folder writable for this user, or choose another one"
_FIXES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: "free some of your quota, or ask for more",
    errno.EFBIG: "raise the limit of the size of files, as with `ulimit -f`",
    errno.EROFS: _NOT_ALLOWED,
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
}


@contextmanager
def messages_of_disk(path: Path) -> Generator[None]:
    """Turn an error of the disk inside the `with` into a message with its fix.

    Args:
        path: What is written or removed.

    Raises:
        InputError: If it cannot be written or removed.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as the latter
        found = error.strerror if isinstance(error, OSError) and error.strerror else error
        fix = _FIXES.get(error.errno or 0) if isinstance(error, OSError) else None
        raise InputError(_message(path, str(found), fix or _NO_SPACE)) from error


@contextmanager
def atomic_write(path: Path, size: int = 0) -> Generator[Path]:
    """Yield a temporary file beside `path`, and move it to `path` when it is complete.

    Args:
        path: The file.
        size: Bytes that will be written, as far as they are known: with less free space, nothing
            is written, so that the disk is not filled for others.

    Raises:
        InputError: If the file cannot be written; the previous file is unchanged.
    """
    with messages_of_disk(path):
        free = free_bytes(path)
        if size > free:
            found = f"{_amount(free)} of free disk space, and it takes {_amount(size)}"
            raise InputError(_message(path, found, _NO_SPACE))
        with replacing(path) as temporary:
            yield temporary


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        InputError: If the file cannot be written; the previous file is unchanged.
    """
    with atomic_write(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        InputError: If the file cannot be written; the previous file is unchanged.
    """
    write_bytes(path, text.encode())


def remove(path: Path) -> None:
    """Remove a file, if it exists.

    Raises:
        InputError: If it cannot be removed.
    """
    with messages_of_disk(path):
        path.unlink(missing_ok=True)


def _amount(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size:,.0f} bytes"


def _message(path: Path, found: str, fix: str) -> str:
    return (
        f"{path}: cannot be written ({found}); what was there before is unchanged; {fix}, and try "
        "again (a training run can be resumed from its last checkpoint)"
    )
