"""`data synth`, `data inspect` and `data cache`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import console, data_table
from sceneparse.cli.paths import path_argument, path_option
from sceneparse.cli.progress import shown_events

app = typer.Typer(help="Make data sets, look at them, decode them once.", no_args_is_help=True)


@app.command()
def synth(
    out: Annotated[Path, path_argument("New folder, in the layout of ADEChallengeData2016.")],
    images: Annotated[int, typer.Option(min=1, help="Training scenes.")] = 400,
    validation: Annotated[
        int | None, typer.Option(min=1, help="Validation scenes.", show_default="a fifth of them")
    ] = None,
    width: Annotated[int, typer.Option(min=32, max=4096, help="Pixels.")] = 320,
    height: Annotated[int, typer.Option(min=32, max=4096, help="Pixels.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Which scenes.")] = 0,
) -> None:
    """Draw scenes in classes of ADE20K, with exact masks, and store them as a data set."""
    from sceneparse.tasks.synth import write_scenes

    held_out = validation or max(1, images // 5)
    splits = {"training": images, "validation": held_out}
    with shown_events() as callback:
        write_scenes(out, splits, (height, width), seed, callback)
    console.print(f"{images} training and {held_out} validation scenes: {out}", soft_wrap=True)


@app.command()
def inspect(
    data: Annotated[
        Path,
        path_argument("A published data set, a folder of yours, or a config."),
    ],
) -> None:
    """Read every image and mask, say what is wrong with them, and count classes and sizes."""
    from sceneparse.tasks.inspect import inspect_data

    with shown_events() as callback:
        report = inspect_data(data, callback)
    console.print(data_table(report))
    for problem in report.problems:
        console.print(f"problem: {problem}", style="red", soft_wrap=True)
    console.print(report.summary(), soft_wrap=True)
    if report.problems:
        raise typer.Exit(2)


@app.command()
def cache(
    data: Annotated[
        Path,
        path_argument("A published data set, a folder of yours, or a config."),
    ],
    to: Annotated[
        Path | None, path_option("Folder of the cache.", show_default="one of the user's")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Which split.", show_default="those that there are")
    ] = None,
    short_side: Annotated[
        int | None,
        typer.Option(
            min=1, help="Reduce larger images to so many pixels, to learn from; not exact."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read what is there too, and renew what is damaged.")
    ] = False,
) -> None:
    """Decode every image and mask once, so that runs read pixels instead of files.

    A build that was stopped goes on where it was; later, only what changed is decoded again.
    """
    from sceneparse.tasks.cache import cache_data

    with shown_events() as callback:
        made = cache_data(
            data,
            to=to,
            splits=split or (),
            short_side=short_side,
            check=check,
            callback=callback,
        )
    console.print(str(made), soft_wrap=True)
