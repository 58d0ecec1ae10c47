"""The command line: one file per group of commands, no logic, nothing heavy imported at start."""

import errno
import sys
from typing import Annotated

import typer

from sceneparse import __version__
from sceneparse.cli import data, describe, predict, score, train
from sceneparse.errors import InputError

app = typer.Typer(
    name="sceneparse",
    help="U-Net-first semantic segmentation for ADE20K and for your own pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"sceneparse {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """U-Net-first semantic segmentation for ADE20K and for your own pictures."""


app.command()(train.demo)
app.command()(train.train)
app.command()(score.evaluate)
app.command()(predict.predict)
app.command()(score.score)
app.command()(describe.model)
app.command()(describe.config)
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 2."""
    try:
        app()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA_OF:
            raise
        extra = _EXTRA_OF[(error.name or "").partition(".")[0]]
        sys.stderr.write(
            f"error: {error.name} is not installed; this command needs "
            f'`pip install "sceneparse[{extra}]"`\n'
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if error.errno not in _USERS_DISK:
            raise
        sys.stderr.write(f"error: {error.filename or 'writing'}: {error.strerror}; {_DISK_HINT}\n")
        sys.exit(2)


_USERS_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_DISK_HINT = "files written before are whole; make room or give another folder, then go on"
_EXTRA_OF = {
    "torch": "train",
    "timm": "train",
    "lightning_fabric": "train",
    "safetensors": "train",
    "matplotlib": "train",
    "psutil": "train",
    "tensorboard": "tensorboard",
}
