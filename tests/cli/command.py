"""The command line in a process of its own, forked from one that has imported PyTorch already.

A new interpreter takes seconds to do so, and the tests need far more than a hundred.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# The installed command, for tests that send signals to it.
COMMAND = str(Path(sys.executable).parent / "sceneparse")

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [f"sceneparse.runs.{name}" for name in ("train", "evaluate", "predict", "plan", "tune")]
)


def run_command(arguments: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `sceneparse` with arguments in a folder, as `subprocess.run` would."""
    return run_and_stop(arguments, folder, lambda _: None)


def run_and_stop(
    arguments: Sequence[str], folder: Path, act: Callable[[int], None]
) -> "subprocess.CompletedProcess[str]":
    """Run `sceneparse`, and call a function with its process id once it is started."""
    with tempfile.TemporaryDirectory() as told:
        paths = [Path(told, name) for name in ("stdout", "stderr")]
        process = _CONTEXT.Process(target=_be, args=(arguments, folder, paths, dict(os.environ)))
        process.start()
        assert process.pid is not None
        try:
            act(process.pid)
            process.join()
        finally:
            # What is left of it where the test is out of time.
            process.kill()
        assert process.exitcode is not None
        stdout, stderr = (path.read_text(encoding="utf-8") for path in paths)
    return subprocess.CompletedProcess(["sceneparse", *arguments], process.exitcode, stdout, stderr)


def _be(
    arguments: Sequence[str], folder: Path, paths: Sequence[Path], environment: Mapping[str, str]
) -> None:
    for path, stream in zip(paths, (sys.stdout, sys.stderr), strict=True):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["sceneparse", *arguments]
    # As the installed command does: not before the environment is what it is to be.
    from sceneparse.cli import main

    main()
