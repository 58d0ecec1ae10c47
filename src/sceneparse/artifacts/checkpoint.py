"""Checkpoints: everything that a resumed run needs, and nothing that could run code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sceneparse.artifacts.writing import written
from sceneparse.errors import InputError

# Raised whenever the contents change so that an older version could misread them.
FORMAT = 1


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run; a crash while writing leaves the previous checkpoint.

    Raises:
        InputError: If it cannot be written.
    """
    with written(path) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the state of a run. Checkpoints hold data only: code inside is refused.

    Raises:
        InputError: If there is no checkpoint, it is broken, or another version wrote it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; start a new run")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state.pop("format", None)
    except Exception as error:
        raise InputError(f"{path}: a broken checkpoint ({type(error).__name__})") from error
    if found != FORMAT:
        raise InputError(
            f"{path}: a checkpoint of format {found}, expected {FORMAT}; resume the run with the "
            "version of sceneparse that started it, or start a new run"
        )
    return state
