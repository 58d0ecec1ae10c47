"""`push`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sceneparse.cli.arguments import path_option
from sceneparse.cli.output import console
from sceneparse.cli.progress import shown_events


def push(
    model: Annotated[
        str,
        typer.Argument(help="A run folder, a weights file, `bundled`, or hf://owner/name."),
    ],
    repo: Annotated[str, typer.Argument(help="Repository: owner/name.")],
    license: Annotated[
        str | None,
        typer.Option(
            help="Terms of the weights: an identifier such as cc-by-nc-4.0, or words. Required, "
            "except for `bundled`.",
            show_default=False,
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        path_option(
            "Scores for the card, from `evaluate --json`.",
            show_default="scores.json in the run folder, or the run's own validation",
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(help="Data sets on the Hub that it was trained on, with commas."),
    ] = None,
    preview: Annotated[
        Path | None,
        path_option(
            "Image to segment as an example, and to publish.",
            show_default="a generated scene, if the classes are those of ADE20K",
        ),
    ] = None,
    demo: Annotated[
        str,
        typer.Option(
            help="Page that runs the model in a browser: `auto` makes one, `none` leaves it out, "
            "or an HTML file."
        ),
    ] = "auto",
    precision: Annotated[
        Literal["fp32", "fp16"],
        typer.Option(help="How weights are stored: fp16 halves the files."),
    ] = "fp32",
    public: Annotated[
        bool, typer.Option("--public", help="Let everyone see the repository.")
    ] = False,
    out: Annotated[
        Path | None, path_option("Write the files to this new folder, and upload nothing.")
    ] = None,
) -> None:
    """Upload a model to the Hugging Face Hub, with a card that says what it is worth.

    The card has scores, data, recipe, terms and limits. A new repository is private unless --public
    is given. Log in with `hf auth login` first, or set HF_TOKEN. Others load the model with
    hf://owner/name in place of a run folder.
    """
    from sceneparse.tasks.push import push as push_model

    with shown_events() as callback:
        pushed = push_model(
            model,
            repo,
            license=license,
            scores=scores,
            datasets=[name.strip() for name in (datasets or "").split(",") if name.strip()],
            preview=preview,
            demo=demo,
            precision=precision,
            public=public,
            out=out,
            callback=callback,
        )
    console.print(str(pushed), soft_wrap=True)
