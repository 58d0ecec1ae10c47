"""`predict`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import console
from sceneparse.cli.paths import path_argument, path_option


def predict(
    images: Annotated[list[Path], path_argument("Images, or folders of them.")],
    out: Annotated[Path, path_option("Where results go.")],
    model: Annotated[
        str, typer.Option(help="A run folder, a weights file, or the model of the package.")
    ] = "bundled",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there.")
    ] = False,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="inference.field=value; may be given repeatedly.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
) -> None:
    """Parse images: index map, coloured map, overlay with legend, and classes as JSON."""
    from sceneparse.factory.loading import load
    from sceneparse.tasks.memory import PREDICTION, advice_on_memory
    from sceneparse.tasks.predict import find_images, predict_files, results_of

    files = find_images(images)
    results = results_of(files, out, overwrite=overwrite)
    predictor = load(model, device, override or ())
    with advice_on_memory(PREDICTION):
        for paths, prediction in predict_files(predictor, files, results):
            largest = [
                f"{found['name']} {found['share']:.0%}" for found in prediction.classes()[:4]
            ]
            console.print(f"{paths.overlay}: {', '.join(largest)}", soft_wrap=True)
