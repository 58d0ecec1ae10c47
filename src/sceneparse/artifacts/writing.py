"""Writing the files of a run, with messages for a full disk."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sceneparse.errors import InputError
from sceneparse.system.files import replacing


@contextmanager
def written(path: Path) -> Generator[Path]:
    """Hand out a temporary file beside `path`, and move it there once it is complete.

    Raises:
        InputError: If it cannot be written; what was there before is untouched.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as the latter
        raise InputError(
            f"{path}: cannot be written ({error}); what was there before is untouched; make room "
            "and try again (training resumes from its last checkpoint)"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        InputError: If it cannot be written; what was there before is untouched.
    """
    with written(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
