"""Checkpoints: all state that a resumed run needs, as data without code, and how it survives.

A crash may leave any part of what was not yet synchronised with the disk. So a checkpoint is
written to a temporary file, synchronised, renamed, and its folder synchronised; only then are older
ones removed. Its digest tells whether a file is whole. `docs/reliability.md` has the proof.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from sceneparse.artifacts.checkpoint_contents import check_archive, check_tensors
from sceneparse.artifacts.writing import atomic_write, remove
from sceneparse.errors import InputError

# Increase this number when the contents change so that an older version could misread them.
FORMAT = 2
_MAGIC = b"sceneparse checkpoint\n"
_DIGEST_BYTES = 32
_NAME = re.compile(r"step_(\d{9,})\.pt")


class Checkpoints:
    """The checkpoints of a run, of which the last ones are kept."""

    def __init__(self, folder: Path, kept: int = 2) -> None:
        """Set where they are.

        Args:
            folder: Their folder.
            kept: How many are kept; with two, a damaged one costs the work since the one before.
        """
        self.folder = folder
        self.kept = kept

    def paths(self) -> list[Path]:
        """Return the checkpoint files, the newest first."""
        found = [path for path in self.folder.glob("step_*.pt") if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("step_")), reverse=True)

    def write(self, state: Mapping[str, Any]) -> None:
        """Write the state of a run after `state["step"]` steps, and remove the oldest checkpoints.

        Raises:
            InputError: If the file cannot be written; the previous checkpoints are unchanged.
        """
        write_checkpoint(self.folder / f"step_{state['step']:09d}.pt", state)
        for path in self.paths()[self.kept :]:
            remove(path)

    def newest(self, on_damage: Callable[[str], object]) -> Path:
        """Return the newest checkpoint that is whole.

        Args:
            on_damage: Called with a sentence about each damaged one.

        Raises:
            InputError: If there is none.
        """
        paths = self.paths()
        if not paths:
            raise InputError(f"{self.folder}: no checkpoint to resume from; start a new run")
        damages: list[str] = []
        for path in paths:
            try:
                _payload(path)
            except InputError as error:
                damages.append(str(error))
                continue
            for damage in damages:
                on_damage(f"{damage}; the run resumes from {path.name}, which is older")
            return path
        raise InputError(f"{damages[0]}; no other checkpoint is whole either; start a new run")


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run; a crash at any moment leaves all of the file or nothing of it.

    Raises:
        InputError: If the file cannot be written.
    """
    buffer = BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    content = buffer.getbuffer()
    with atomic_write(path, len(content)) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC + hashlib.sha256(content).digest())
        file.write(content)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the state of a run; a checkpoint that contains code is refused.

    Raises:
        InputError: If it does not exist, is not what was written, or has another format.
    """
    payload = _payload(path)
    try:
        check_archive(payload)
        state: dict[str, Any] = torch.load(BytesIO(payload), map_location="cpu", weights_only=True)
        check_tensors(state, len(payload))
        found = state.pop("format", None)
    except Exception as error:
        raise InputError(
            f"{path}: no checkpoint ({type(error).__name__}: {error!s:.100}); start a new run"
        ) from error
    if found != FORMAT:
        raise InputError(
            f"{path}: found a checkpoint of format {found}, expected {FORMAT}; resume the run with "
            "the version of sceneparse that started it, or start a new run"
        )
    return state


def _payload(path: Path) -> memoryview:
    """Return what follows the header of a checkpoint, if the file is what was written."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    start = len(_MAGIC) + _DIGEST_BYTES
    if not content.startswith(_MAGIC) or len(content) < start:
        raise InputError(f"{path}: damaged, or no checkpoint of this version")
    payload = memoryview(content)[start:]
    if hashlib.sha256(payload).digest() != content[len(_MAGIC) : start]:
        raise InputError(f"{path}: damaged, because its checksum differs")
    return payload
