"""Fixtures that run the command line in a new process."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import run_command

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `sceneparse` with arguments in an empty folder."""

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return run_command([*map(str, arguments)], tmp_path)

    return run


@pytest.fixture
def fails(cli: Cli) -> Callable[..., str]:
    """Run `sceneparse`, expect an error for the user, and return its message."""

    def run(*arguments: str | Path) -> str:
        done = cli(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        return done.stderr

    return run
