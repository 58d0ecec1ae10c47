"""`video`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.arguments import RUNTIME_HELP, path_argument, path_option
from sceneparse.cli.progress import shown_events


def video(
    file: Annotated[Path, path_argument("Video to segment.", metavar="VIDEO")],
    out: Annotated[Path, path_option("Video to write: .webm, .mkv or .mp4.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Overrides: inference.field=value.", show_default=False),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="A run folder, weights file or ONNX file, `bundled`, or hf://owner/name."
        ),
    ] = "bundled",
    opacity: Annotated[float, typer.Option(help="Opacity of the class colours, in 0..1.")] = 0.5,
    smoothing_s: Annotated[
        float,
        typer.Option(help="Time constant of the smoothing over time, in seconds; 0 for none."),
    ] = 0.1,
    masks: Annotated[
        Path | None, path_option("Folder for the label map of each frame.", show_default="none")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing results.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    runtime: Annotated[str, typer.Option(help=RUNTIME_HELP)] = "auto",
) -> None:
    """Segment a video; write it again in VP9, with the class colours laid over its frames.

    Times, size and rotation are kept, and the sound where the new file can hold it. The exit status
    is 1 if a part of the video could not be read; the rest is segmented.
    """
    from sceneparse.tasks.video import segment_video

    with shown_events() as callback:
        segmented = segment_video(
            file,
            out=out,
            model=model,
            opacity=opacity,
            smoothing_s=smoothing_s,
            masks=masks,
            overwrite=overwrite,
            overrides=overrides or (),
            device=device,
            runtime=runtime,
            callback=callback,
        )
    if segmented.error:
        raise typer.Exit(1)
