"""Checkpoints: all state that a resumed run needs, as data without code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sceneparse.artifacts.writing import atomic_write
from sceneparse.errors import InputError

# Increase this number when the contents change so that an older version could misread them.
FORMAT = 1


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run; a crash while writing keeps the previous checkpoint.

    Raises:
        InputError: If the file cannot be written.
    """
    with atomic_write(path) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the state of a run; a checkpoint that contains code is refused.

    Raises:
        InputError: If the checkpoint does not exist, is broken, or has another format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; start a new run")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state.pop("format", None)
    except Exception as error:
        raise InputError(
            f"{path}: broken checkpoint ({type(error).__name__}); start a new run"
        ) from error
    if found != FORMAT:
        raise InputError(
            f"{path}: found a checkpoint of format {found}, expected {FORMAT}; resume the run with "
            "the version of sceneparse that started it, or start a new run"
        )
    return state
