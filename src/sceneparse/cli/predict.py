"""`predict`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import console
from sceneparse.cli.paths import path_option, split_overrides


def predict(
    images: Annotated[
        list[str],
        typer.Argument(help="Images, or folders of them; and inference.field=value."),
    ],
    out: Annotated[Path, path_option("Where results go.")],
    model: Annotated[
        str, typer.Option(help="A run folder, a weights file, or the model of the package.")
    ] = "bundled",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
) -> None:
    """Segment images: index map, coloured map, overlay with legend, and classes as JSON."""
    from sceneparse.factory.loading import load
    from sceneparse.tasks.memory import PREDICTION, advice_on_memory
    from sceneparse.tasks.predict import find_images, predict_files, results_of

    paths, overrides = split_overrides(images)
    files = find_images(paths)
    results = results_of(files, out, overwrite=overwrite)
    predictor = load(model, device, overrides)
    with advice_on_memory(PREDICTION):
        for written, prediction in predict_files(predictor, files, results):
            largest = [
                f"{found['name']} {found['share']:.0%}" for found in prediction.classes()[:4]
            ]
            console.print(f"{written.overlay}: {', '.join(largest)}", soft_wrap=True)
