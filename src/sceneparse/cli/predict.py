"""`predict`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.paths import RUNTIME_HELP, path_option, split_overrides
from sceneparse.cli.progress import shown_events


def predict(
    images: Annotated[
        list[str],
        typer.Argument(help="Images or folders of images, and overrides: inference.field=value."),
    ],
    out: Annotated[Path, path_option("Folder for the results.")],
    model: Annotated[
        str, typer.Option(help="A run folder, weights file or ONNX file, or `bundled`.")
    ] = "bundled",
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
    with shown_events() as callback:
        segmented = predict_images(
            paths,
            out=out,
            model=model,
            overwrite=overwrite,
            overrides=overrides,
            device=device,
            runtime=runtime,
            callback=callback,
        )
    if any(record.error for record in segmented):
        raise typer.Exit(1)
