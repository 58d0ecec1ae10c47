"""The folder in which facts about data sets are cached."""

import hashlib
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

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


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Make a folder, and keep other processes from writing a cache in it.

    Raises:
        InputError: If it cannot be made, or another process is writing there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", blocking=False)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{folder}: another process is writing this cache; wait until it is done"
        ) from None
    except NotImplementedError:
        # Some network file systems have no locks: two builds at once then go unnoticed.
        yield
        return
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder", "to"
        ) from None
    try:
        yield
    finally:
        lock.release()
