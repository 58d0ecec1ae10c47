"""Paths that a user gives."""

from pathlib import Path


def expand_user(path: str | Path) -> Path:
    """Replace a leading `~` or `~name` by the home folder of the user.

    A shell does this only for separate arguments, not in `--out=~/run` or in a file. As in a shell,
    the path stays unchanged if the user does not exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
