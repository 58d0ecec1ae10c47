"""`compare`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import class_changes_table, console, differences_table
from sceneparse.cli.paths import path_argument, path_option


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
