"""`plan`."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from sceneparse.cli.arguments import path_argument, path_option
from sceneparse.cli.output import console
from sceneparse.cli.progress import shown_events

# Copied from planning.starting_point, which is slow to import.
StartFrom = Literal["auto", "bundled", "imagenet", "none"]


def plan(
    data: Annotated[Path, path_argument("A published data set, or a folder of your own.")],
    hours: Annotated[float, typer.Option(min=0.0001, help="How long the training may take.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="How to read the data: data.field=value.", show_default=False),
    ] = None,
    memory_gb: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Memory that the training may use, in GiB.", show_default="what is free"
        ),
    ] = None,
    weights: Annotated[
        StartFrom, typer.Option(help="Weights to start from; auto: the best that need no download.")
    ] = "auto",
    out: Annotated[
        Path | None,
        path_option("Config file to write.", show_default="FOLDER.yaml in the current folder"),
    ] = None,
) -> None:
    """Write a config that fits your images, machine and time, with the reason of each choice.

    Reads the data and measures this machine for about a minute.
    """
    from sceneparse.tasks.plan import plan as make_plan

    target = out or Path(f"{data.resolve().name}.yaml")
    with shown_events() as callback:
        planned = make_plan(
            data,
            hours=hours,
            memory_gb=memory_gb,
            weights=weights,
            overrides=overrides or (),
            out=target,
            callback=callback,
        )
    table = Table(show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for row in planned.rows():
        table.add_row(*row)
    console.print(table)
    console.print(str(planned.time), soft_wrap=True)
    console.print(f"written: {target}\n  sceneparse train {target}", soft_wrap=True)
