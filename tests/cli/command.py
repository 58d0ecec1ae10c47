"""Run the command line in a new process, forked from one that has already imported PyTorch.

The import takes seconds in a new interpreter, and the tests start more than a hundred processes.
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

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "timm",
        *(f"sceneparse.tasks.{name}" for name in ("train", "evaluate", "predict", "plan", "tta")),
    ]
)


def run_command(
    arguments: Sequence[str], folder: Path, before: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `sceneparse` with arguments in a folder, as `subprocess.run` would.

    Args:
        arguments: Arguments of the command.
        folder: Working directory.
        before: Lines of Python that the process executes first.
    """
    return run_and_stop(arguments, folder, lambda _: None, before)


def run_and_stop(
    arguments: Sequence[str], folder: Path, act: Callable[[int], None], before: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `sceneparse`, and call a function with its process id after it has started."""
    with tempfile.TemporaryDirectory() as outputs:
        paths = [Path(outputs, name) for name in ("stdout", "stderr")]
        process = CONTEXT.Process(
            target=_main, args=(arguments, folder, paths, dict(os.environ), before)
        )
        process.start()
        assert process.pid is not None
        try:
            act(process.pid)
            process.join()
        finally:
            # It still runs if the test has timed out.
            process.kill()
        assert process.exitcode is not None
        stdout, stderr = (path.read_text(encoding="utf-8") for path in paths)
    return subprocess.CompletedProcess(["sceneparse", *arguments], process.exitcode, stdout, stderr)


def _main(
    arguments: Sequence[str],
    folder: Path,
    paths: Sequence[Path],
    environment: Mapping[str, str],
    before: str,
) -> None:
    for path, stream in zip(paths, (sys.stdout, sys.stderr), strict=True):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["sceneparse", *arguments]
    # Import after the environment is set, as the installed command does.
    from sceneparse.cli import main

    exec(before)  # noqa: S102 - lines of the test itself
    main()
