"""`bench data`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import console
from sceneparse.cli.paths import path_argument, path_option

app = typer.Typer(help="Measure where the time goes.", no_args_is_help=True)


@app.command()
def data(
    config: Annotated[Path, path_argument("The run, as YAML; see configs/.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="section.field=value, laid over the file.", show_default=False),
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=1, help="About the most that each measurement takes.")
    ] = 1000,
    json: Annotated[Path | None, path_option("Write the figures here too.")] = None,
) -> None:
    """Measure how fast training gets its pictures, stage by stage, and say what to change.

    Takes about 20 seconds, and writes nothing.
    """
    from sceneparse.config.reading import read_config

    settings = read_config(config, overrides or [])
    from sceneparse.runs.bench_data import bench_data
    from sceneparse.runs.data_advice import advice

    figures = bench_data(settings, pictures, console)
    lines = advice(figures)
    console.print(figures.table())
    for line in lines:
        console.print(line, soft_wrap=True)
    if json:
        figures.write(json, lines)
        console.print(f"written: {json}", soft_wrap=True)
