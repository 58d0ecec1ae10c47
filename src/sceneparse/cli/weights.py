"""`weights`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import console
from sceneparse.cli.paths import path_argument


def weights(
    model: Annotated[str, typer.Argument(help="A run folder or a weights file.")],
    file: Annotated[Path, path_argument("The file to write.")],
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in fp16: half the size.")
    ] = False,
    most_mb: Annotated[
        float | None, typer.Option(min=0, help="Refuse to write more megabytes than this.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", help="inference.field=value: how it predicts from then on."),
    ] = None,
) -> None:
    """Write what predictions need of a model, with its config and classes, to one file."""
    from sceneparse.tasks.weights import write_alone

    most_bytes = None if most_mb is None else int(most_mb * 1e6)
    written = write_alone(
        model,
        file,
        half=half,
        most_bytes=most_bytes,
        overwrite=overwrite,
        overrides=override or (),
    )
    console.print(
        f"{file}: {written.size / 1e6:.2f} MB, {written.tensors} tensors; {written.left_out} that "
        "only training needs were left out",
        soft_wrap=True,
    )
