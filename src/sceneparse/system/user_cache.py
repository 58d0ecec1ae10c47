"""Where what is kept about data sets lies, and how it is written there."""

import errno
import hashlib
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import platformdirs

from sceneparse.errors import InputError
from sceneparse.system.paths import expanded


def cache_folder(root: Path) -> Path:
    """Return the folder of what is kept about one data root; it need not exist.

    It lies in `$SCENEPARSE_CACHE`, or else where the system keeps the caches of a user.
    """
    chosen = os.environ.get("SCENEPARSE_CACHE")
    if chosen:
        base = expanded(chosen)
    else:
        base = platformdirs.user_cache_path("sceneparse", appauthor=False)
    resolved = root.resolve()
    readable = re.sub(r"[^\w.-]+", "_", resolved.name)[:40]
    return base / f"{readable}-{hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]}"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time.

    Raises:
        OSError: If it cannot be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Make a folder, and keep other processes from writing a cache in it.

    Raises:
        InputError: If it cannot be made, or another process is writing there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("ab")
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to ({error.strerror}); give another folder with --to"
        ) from None
    with file:  # closing it, or the end of the process, gives the lock back
        try:
            _lock(file.fileno())
        except OSError as error:
            # Some network file systems know no locks; there two builds at once are not noticed.
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise InputError(
                    f"{folder}: another process is writing this cache; wait until it is done"
                ) from None
        yield


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
