"""The user's cache folder, the cache folders of data sets, and their locks."""

import hashlib
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from sceneparse.errors import InputError
from sceneparse.system.paths import expand_user


def user_cache_folder() -> Path:
    """Return the folder of all caches, which need not exist.

    It is `$SCENEPARSE_CACHE` or, without that variable, lies in the user's cache folder of the
    operating system.
    """
    variable = os.environ.get("SCENEPARSE_CACHE")
    if variable:
        return expand_user(variable)
    return platformdirs.user_cache_path("sceneparse", appauthor=False)


def cache_folder(root: Path) -> Path:
    """Return the cache folder of a data root, which need not exist."""
    resolved = root.resolve()
    readable_name = re.sub(r"[^\w.-]+", "_", resolved.name)[:40]
    name = f"{readable_name}-{hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]}"
    return user_cache_folder() / name


@contextmanager
def lock_folder(
    folder: Path, content: str, *parameters: str, waits: bool = False
) -> Generator[None]:
    """Create a folder and hold its lock, so that no other process writes there.

    Args:
        folder: The folder.
        content: What is written, for the message, such as `this cache`.
        parameters: The parameters that choose the folder, as of `InputError`.
        waits: Whether to wait until another process releases the lock.

    Raises:
        InputError: If the folder cannot be created, or another process holds the lock.
    """
    from filelock import FileLock, Timeout  # takes 20 ms, and few commands lock

    lock = FileLock(folder / "lock", blocking=waits)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{folder}: another process is writing {content}; wait until it has finished"
        ) from None
    except NotImplementedError:
        # Some network file systems have no locks; two builds at once then go undetected.
        pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to ({error.strerror}); choose a writable folder",
            *parameters,
        ) from None
    try:
        yield
    finally:
        # Does nothing if the lock is not held.
        lock.release()
