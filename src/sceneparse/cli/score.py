"""`evaluate`, `score` and `compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sceneparse.cli.arguments import RUNTIME_HELP, path_argument, path_option
from sceneparse.cli.output import (
    class_changes_table,
    classes_table,
    console,
    differences_table,
    scores_table,
)
from sceneparse.cli.progress import shown_events
from sceneparse.errors import InputError

if TYPE_CHECKING:
    from sceneparse.tasks.score import ScoreReport


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, weights file or ONNX file, `bundled`, or hf://owner/name."
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Overrides: inference.field=value.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None, path_option("Data root.", show_default="the one it was trained on")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data.")] = "validation",
    json: Annotated[Path | None, path_option("Write the scores to this file too.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    runtime: Annotated[str, typer.Option(help=RUNTIME_HELP)] = "auto",
) -> None:
    """Score a model at the size of each mask, from one confusion matrix over all images."""
    from sceneparse.tasks.evaluate import evaluate as evaluate_model

    with shown_events() as callback:
        report = evaluate_model(
            model,
            data=data,
            split=split,
            overrides=overrides or (),
            device=device,
            runtime=runtime,
            callback=callback,
        )
    _show(report, json)


def score(
    predictions: Annotated[Path, path_argument("Folder of label maps (PNG), from any tool.")],
    annotations: Annotated[Path, path_argument("Folder of ground truth masks.")],
    labels: Annotated[
        str, typer.Option(help="ade20k, cityscapes, voc2012 ..., or a labels.json or labels.yaml.")
    ] = "ade20k",
    map_ids: Annotated[
        list[str] | None,
        typer.Option(
            help="What a predicted id means in the masks, such as 255=1; may be given many times.",
            show_default=False,
        ),
    ] = None,
    unknown_ids: Annotated[
        Literal["error", "wrong"],
        typer.Option(help="Refuse predicted ids that are no classes, or count them as wrong."),
    ] = "error",
    json: Annotated[Path | None, path_option("Write the scores to this file too.")] = None,
) -> None:
    """Score predictions in files, in the ids of the ground truth masks."""
    from sceneparse.tasks.score import score as score_folders

    report = score_folders(
        predictions,
        annotations,
        labels=labels,
        map_ids=dict(map(_pair, map_ids or ())),
        unknown_ids=unknown_ids,
    )
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    _show(report, json)


def _pair(text: str) -> tuple[int, int]:
    predicted, _, meant = text.partition("=")
    if not (predicted.isdecimal() and meant.isdecimal()):
        raise InputError(f"found `{text}`; expected two ids, such as 255=1", "map_ids")
    return int(predicted), int(meant)


def _show(report: "ScoreReport", json: Path | None) -> None:
    console.print(classes_table(report.per_class()))
    console.print(scores_table(report))
    if json:
        report.write(json)
        console.print(f"written: {json}", soft_wrap=True)


def compare(
    first: Annotated[Path, path_argument("Score file of `evaluate --json` or `score --json`.")],
    second: Annotated[Path, path_argument("Another one, of the same images.")],
    classes: Annotated[
        int, typer.Option(min=0, help="Number of classes shown that gain or lose most.")
    ] = 5,
    json: Annotated[Path | None, path_option("Write the comparison to this file too.")] = None,
) -> None:
    """Compare two score files: the difference of the scores, with 95 % confidence intervals.

    The intervals are paired bootstrap intervals over 1000 resamples of the images.
    """
    from sceneparse.metrics.comparison import compare as compare_scores

    comparison = compare_scores(first, second)
    console.print(differences_table(comparison))
    for title, changes in zip(
        ("largest gains", "largest losses"), comparison.class_changes(classes), strict=True
    ):
        if changes:
            console.print(class_changes_table(title, changes))
    if json:
        comparison.write(json)
        console.print(f"written: {json}", soft_wrap=True)
