"""`tta`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.arguments import path_option
from sceneparse.cli.output import best_table, console, trials_table
from sceneparse.cli.progress import shown_events


def tta(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, weights file or ONNX file, `bundled`, or hf://owner/name."
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Overrides for all settings: inference.field=value.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None, path_option("Data root.", show_default="the one it was trained on")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data.")] = "validation",
    images: Annotated[
        int, typer.Option(min=2, help="Images used at most; half of them to choose by.")
    ] = 100,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure what test-time augmentation and refinement gain and cost on a trained model.

    Settings are chosen on one half of the images and reported on the other half.
    """
    from sceneparse.tasks.tta import tta as try_settings

    with shown_events() as callback:
        report = try_settings(
            model,
            data=data,
            split=split,
            images=images,
            overrides=overrides or (),
            device=device,
            callback=callback,
        )
    console.print(trials_table(report))
    console.print(best_table(report))
    if split == "training":
        console.print("warning: the model was trained on these images", style="yellow")
    console.print(report.advice(), soft_wrap=True)
