"""`predict`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import console


def predict(
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    model: Annotated[str, typer.Option(help="A run folder or a weights file.")],
    out: Annotated[Path, typer.Option(help="Where results go.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
) -> None:
    """Parse pictures: index map, coloured map, overlay with legend, and classes as JSON."""
    from sceneparse.load import load
    from sceneparse.runs.predict import find_images, predict_files

    files = find_images(images)
    for result in predict_files(load(model, device), files, out):
        largest = ", ".join(f"{entry['name']} {entry['share']:.0%}" for entry in result.classes[:4])
        console.print(f"{result.overlay}: {largest}", soft_wrap=True)
