"""`data download`, `synth`, `check`, `import`, `export` and `cache`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sceneparse.cli.arguments import path_argument, path_option
from sceneparse.cli.output import console, data_table
from sceneparse.cli.progress import shown_events

Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="How to read the data: data.field=value.", show_default=False),
]

app = typer.Typer(
    help="Download, generate, check, convert and cache data sets.", no_args_is_help=True
)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="ade20k or voc2012.")],
    out: Annotated[
        Path | None,
        path_argument("New folder.", show_default="where configs look for the data set"),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Address of another copy of the archive, or its path on this computer."),
    ] = None,
) -> None:
    """Download a published data set, check it and unpack it.

    A stopped download resumes; a complete one is left as it is.
    """
    from sceneparse.tasks.download import download as download_data

    with shown_events() as callback:
        downloaded = download_data(name, out, url=url, callback=callback)
    console.print(str(downloaded), soft_wrap=True)


@app.command()
def synth(
    out: Annotated[Path, path_argument("New folder; its layout is that of ADEChallengeData2016.")],
    images: Annotated[int, typer.Option(min=1, help="Training scenes.")] = 400,
    validation: Annotated[
        int | None, typer.Option(min=1, help="Validation scenes.", show_default="a fifth of them")
    ] = None,
    width: Annotated[int, typer.Option(min=32, max=4096, help="Width of a scene in pixels.")] = 320,
    height: Annotated[int, typer.Option(min=32, max=4096, help="Height of a scene.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenes.")] = 0,
) -> None:
    """Generate a data set of scenes in classes of ADE20K, with exact masks."""
    from sceneparse.tasks.synth import write_scenes

    held_out = validation or max(1, images // 5)
    splits = {"training": images, "validation": held_out}
    with shown_events() as callback:
        write_scenes(out, splits, (height, width), seed, callback)
    console.print(f"{images} training and {held_out} validation scenes: {out}", soft_wrap=True)


@app.command()
def check(
    data: Annotated[
        Path,
        path_argument("A published data set, a folder of your own, or a config."),
    ],
    overrides: Overrides = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
    ] = False,
    strict: Annotated[bool, typer.Option(help="Count warnings as errors.")] = False,
) -> None:
    """Read every image and mask, count classes and sizes, and find what would be learned wrongly.

    The exit status is 1 if there are errors, with --strict also if there are warnings, and else 0.
    """
    from sceneparse.tasks.check import check as check_data

    with shown_events() as callback:
        report = check_data(data, overrides=overrides or (), callback=callback)
    if json_:
        typer.echo(json.dumps(report.document(), ensure_ascii=False, indent=1))
    else:
        console.print(data_table(report))
        for finding in report.findings:
            style = "red" if finding.severity == "error" else "yellow"
            console.print(Text(f"{finding.severity}: {finding}", style=style), soft_wrap=True)
        console.print(report.summary(), soft_wrap=True)
    if report.errors or (strict and report.warnings):
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[Path, path_argument("Annotated images, in any form of docs/own_data.md.")],
    out: Annotated[Path, path_argument("New folder with images, masks and labels.yaml.")],
    overrides: Overrides = None,
) -> None:
    """Write annotated images as a folder with `images`, `masks` and `labels.yaml`."""
    from sceneparse.tasks.convert import convert

    with shown_events() as callback:
        written = convert(source, out, overrides=overrides or (), callback=callback)
    console.print(str(written), soft_wrap=True)


@app.command()
def export(
    data: Annotated[
        Path, path_argument("A published data set, a folder of your own, or a config.")
    ],
    out: Annotated[Path, path_argument("New folder.")],
    to: Annotated[str, typer.Option(help="Format, such as coco; see docs/own_data.md.")],
    overrides: Overrides = None,
) -> None:
    """Write a data set in the annotation format of another tool."""
    from sceneparse.tasks.convert import convert

    with shown_events() as callback:
        written = convert(data, out, to=to, overrides=overrides or (), callback=callback)
    console.print(str(written), soft_wrap=True)


@app.command()
def cache(
    data: Annotated[
        Path,
        path_argument("A published data set, a folder of your own, or a config."),
    ],
    overrides: Overrides = None,
    to: Annotated[
        Path | None, path_option("Folder of the cache.", show_default="in the user's cache folder")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Split to cache; may be repeated.", show_default="all")
    ] = None,
    short_side: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Reduce the shorter side of larger images to so many pixels; for training only.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check existing entries too, and renew damaged ones.")
    ] = False,
) -> None:
    """Decode every image and mask once, so that runs read pixels instead of files.

    A stopped build resumes; later builds decode only what has changed.
    """
    from sceneparse.tasks.cache import cache_data

    with shown_events() as callback:
        made = cache_data(
            data,
            overrides=overrides or (),
            to=to,
            splits=split or (),
            short_side=short_side,
            check=check,
            callback=callback,
        )
    console.print(str(made), soft_wrap=True)
