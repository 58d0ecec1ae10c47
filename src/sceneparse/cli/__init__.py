"""The command line: one file per group of commands, without logic and heavy imports."""

import errno
import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from sceneparse import __version__
from sceneparse.cli import (
    data,
    describe,
    export,
    plan,
    predict,
    push,
    score,
    serve,
    train,
    tta,
    video,
)
from sceneparse.errors import InputError, ReportedByOtherRank
from sceneparse.system.ranks import find_rank_info

app = typer.Typer(
    name="sceneparse",
    help="Semantic segmentation with U-Nets, for ADE20K and your own images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        sys.stdout.write(f"sceneparse {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Semantic segmentation with U-Nets, for ADE20K and your own images."""


app.command()(train.demo)
app.command()(plan.plan)
app.command()(train.train)
app.command()(train.replay)
app.command()(score.evaluate)
app.command()(predict.predict)
app.command()(video.video)
app.command()(score.score)
app.command()(score.compare)
app.command()(tta.tta)
app.command()(export.export)
app.command()(push.push)
app.command()(serve.serve)
app.command()(describe.summary)
app.command()(describe.config)
app.add_typer(data.app, name="data")


# Loop iterations for which an OpenMP thread spins before it sleeps. The GNU runtime of PyTorch's
# packages spins for tens of milliseconds by default, which makes a training step several times as
# slow if another process is busy (docs/performance.md, benchmarks/busy.py).
OPENMP_WAITING = {"GOMP_SPINCOUNT": "1000"}


def _let_threads_sleep() -> None:
    """Shorten the spinning of OpenMP threads, unless the user has configured it."""
    if not {*OPENMP_WAITING, "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ.update(OPENMP_WAITING)


def _leave_out_lost_connections() -> None:
    """Let PyTorch print no stack traces of connections to another process that is gone."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def main() -> None:
    """Run the command line; a mistake of the user ends with one message and exit code 2."""
    _leave_out_lost_connections()
    # OpenMP reads its settings once, when PyTorch is imported.
    _let_threads_sleep()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold any bytes
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n" if find_rank_info().rank == 0 else "")
        sys.exit(130)
    except ReportedByOtherRank:
        _exit_at_once(2)
    except (InputError, ModuleNotFoundError, OSError) as error:
        message = _message(error)
        if message is None:
            raise
        sys.stderr.write(f"error: {message}\n")
        _exit_at_once(2)


def _exit_at_once(code: int) -> NoReturn:
    """Exit, without waiting for the threads of other processes if there are several."""
    if find_rank_info().world_size > 1:
        # Threads of PyTorch may still wait for a process that is gone, and abort this one at exit.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def _message(error: Exception) -> str | None:
    """Return the message for an error that the user can correct; none for other errors."""
    match error:
        case InputError(parameters=()):
            return str(error)
        case InputError():
            options = ", ".join(f"--{name.replace('_', '-')}" for name in error.parameters)
            return f"{error} ({options})"
        case ModuleNotFoundError():
            extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
            needs = f'this command needs `pip install "sceneparse[{extra}]"`'
            return f"{error.name} is not installed; {needs}" if extra else None
        case OSError() if error.errno in _DISK_ERRORS:
            return f"{error.filename or 'writing failed'}: {error.strerror}; {_DISK_HINT}"
        case _:
            return None


_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}
_DISK_HINT = "free some disk space, or choose another folder"
_EXTRA_OF = {
    "torch": "train",
    "torchvision": "train",
    "timm": "train",
    "safetensors": "train",
    "cv2": "train",
    "matplotlib": "train",
    "psutil": "train",
    "tensorboard": "tensorboard",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
}
