"""The real command line, in a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = str(Path(sys.executable).parent / "sceneparse")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `sceneparse` with arguments in an empty folder."""

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    return run


@pytest.fixture
def fails(cli: Cli) -> Callable[..., str]:
    """Run `sceneparse` where it must end with a message for the user, and return the message."""

    def run(*arguments: str | Path) -> str:
        done = cli(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        return done.stderr

    return run
