"""`predict`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.arguments import RUNTIME_HELP, path_option, split_overrides
from sceneparse.cli.progress import shown_events
from sceneparse.errors import InputError

_STREAM = Path("-")


def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Images, folders of images, quoted patterns such as 'images/**/*.jpg', or - for "
            "standard input; and overrides: inference.field=value."
        ),
    ],
    out: Annotated[Path, path_option("Folder for the results, or - for standard output.")],
    model: Annotated[
        str,
        typer.Option(
            help="A run folder, weights file or ONNX file, `bundled`, or hf://owner/name."
        ),
    ] = "bundled",
    formats: Annotated[
        str,
        typer.Option("--format", help="Of mask, color, overlay, json, coco, geojson, with commas."),
    ] = "mask,color,overlay,json",
    classes: Annotated[
        str | None, typer.Option(help="Names or ids of the only classes to show, with commas.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Threads that read, and that write; by default the cores, at most 4."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing results.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    runtime: Annotated[str, typer.Option(help=RUNTIME_HELP)] = "auto",
) -> None:
    """Segment images; write label map, coloured map, overlay with legend, and classes as JSON.

    The same command again does only what is missing. The exit status is 1 if an image could not be
    read; the others are segmented.
    """
    from sceneparse.tasks.predict import predict as predict_images

    paths, overrides = split_overrides(images)
    if _STREAM in paths and len(paths) > 1:
        raise InputError("standard input (-) is one image; give it alone")
    is_stream = out == _STREAM
    with shown_events(on_stderr=is_stream) as callback:
        segmented = predict_images(
            sys.stdin.buffer.read() if _STREAM in paths else paths,
            out=sys.stdout.buffer if is_stream else out,
            model=model,
            formats=formats,
            classes=classes,
            jobs=jobs,
            overwrite=overwrite,
            overrides=overrides,
            device=device,
            runtime=runtime,
            callback=callback,
        )
    if any(record.error for record in segmented):
        raise typer.Exit(1)
