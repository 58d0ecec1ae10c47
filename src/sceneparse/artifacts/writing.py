"""Write the files of a run, with error messages for a full disk."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sceneparse.errors import InputError
from sceneparse.system.files import replacing


@contextmanager
def atomic_write(path: Path) -> Generator[Path]:
    """Yield a temporary file beside `path`, and move it to `path` when it is complete.

    Raises:
        InputError: If the file cannot be written; the previous file is unchanged.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as the latter
        raise InputError(
            f"{path}: cannot be written ({error}); a previous file is unchanged; free some disk "
            "space and try again (training resumes from its last checkpoint)"
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        InputError: If the file cannot be written; the previous file is unchanged.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        InputError: If the file cannot be written; the previous file is unchanged.
    """
    write_bytes(path, text.encode())
