"""`export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sceneparse.cli.arguments import path_option
from sceneparse.cli.output import console
from sceneparse.cli.progress import shown_events


def export(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, a weights file, `bundled`, or hf://owner/name; for HTML also an "
            "ONNX file."
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Overrides to store: inference.field=value.", show_default=False),
    ] = None,
    to: Annotated[
        Literal["onnx", "safetensors", "html"] | None,
        typer.Option(help="Format.", show_default="that of the suffix, else onnx"),
    ] = None,
    out: Annotated[
        Path | None, path_option("File to write.", show_default="the model's name")
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"] | None,
        typer.Option(
            help="How weights are stored: fp16 halves the file; int8, not for safetensors, needs "
            "images.",
            show_default="fp16 for HTML, else fp32",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        path_option(
            "Image, folder of images or data set on which an ONNX file must agree with PyTorch; "
            "int8 calibrates on its training images.",
            show_default="generated scenes",
        ),
    ] = None,
    license_text: Annotated[
        str | None,
        typer.Option(
            "--license", help="Terms of the weights, for ONNX and HTML.", show_default=False
        ),
    ] = None,
    runtime: Annotated[
        Path | None,
        path_option(
            "For HTML: folder of the unpacked npm package onnxruntime-web.",
            show_default="the user's cache, else by npm",
        ),
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option(min=0, help="Refuse to write a larger file, in MB (10⁶ bytes).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Write a model to one file, with its config and classes inside.

    safetensors is for sharing and for training on. ONNX is for other programs: it contains
    everything from the pixels of an image to its labels, and is only written if its labels agree
    with those of PyTorch. In int8 it is computed in integers, and only written if the mIoU falls by
    at most half a point. HTML is a page that people open in a browser: it computes there, without a
    network, so that images never leave the machine.
    """
    from sceneparse.tasks.export import export as export_model

    with shown_events() as callback:
        exported = export_model(
            model,
            to=to,
            out=out,
            precision=precision,
            images=images,
            overrides=overrides or (),
            license_text=license_text,
            runtime=runtime,
            max_bytes=None if max_mb is None else int(max_mb * 1e6),
            overwrite=overwrite,
            callback=callback,
        )
    console.print(str(exported), soft_wrap=True)
