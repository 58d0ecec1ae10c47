"""Paths that a user gives."""

import re
from pathlib import Path

_OVERRIDE = re.compile(r"[a-z_]+(\.[a-z_]+)+=")


def is_override(argument: str) -> bool:
    """Return whether an argument is an override, such as `inference.flip=true`, and no path."""
    return _OVERRIDE.match(argument) is not None


def expand_user(path: str | Path) -> Path:
    """Replace a leading `~` or `~name` by the home folder of the user.

    A shell does this only for separate arguments, not in `--out=~/run` or in a file. As in a shell,
    the path stays unchanged if the user does not exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
