"""Paths as a user writes them."""

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Put the home folder of the user in the place of `~`, or that of another user for `~name`.

    A shell does so itself, but not in `--out=~/run`, nor in a file. Where there is no such user the
    path stays as it is, as in a shell.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
