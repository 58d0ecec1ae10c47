"""`replay`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.paths import path_argument


def replay(
    file: Annotated[Path, path_argument("A file nonfinite/step_N.json of a run folder.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Overrides of the run's config: section.field=value.", show_default=False
        ),
    ] = None,
) -> None:
    """Compute a step that was not finite again in fp32; say in which module it becomes so."""
    from sceneparse.tasks.replay import replay as replay_step

    sys.stdout.write(f"{replay_step(file, overrides=overrides or [])}\n")
