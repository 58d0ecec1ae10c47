"""`export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sceneparse.cli.output import console
from sceneparse.cli.paths import path_option


def export(
    model: Annotated[str, typer.Argument(help="A run folder or a weights file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Overrides to store: inference.field=value.", show_default=False),
    ] = None,
    to: Annotated[Literal["safetensors"], typer.Option(help="Format.")] = "safetensors",
    out: Annotated[
        Path | None, path_option("File to write.", show_default="the model's name")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in fp16: half the size.")
    ] = False,
    max_mb: Annotated[
        float | None, typer.Option(min=0, help="Refuse to write a larger file (in MB).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Write a model to one file for sharing, with its config and classes inside."""
    from sceneparse.tasks.export import export_safetensors

    file = out or Path(f"{Path(model).resolve().name.removesuffix(f'.{to}')}.{to}")
    size = export_safetensors(
        model,
        file,
        half=half,
        max_bytes=None if max_mb is None else int(max_mb * 1e6),
        overwrite=overwrite,
        overrides=overrides or (),
    )
    console.print(f"{file}: {size / 1e6:.2f} MB", soft_wrap=True)
