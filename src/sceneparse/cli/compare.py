"""`compare`."""

from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.output import class_changes_table, console, differences_table
from sceneparse.cli.paths import path_argument, path_option


def compare(
    first: Annotated[Path, path_argument("Scores, by `evaluate --json` or `score --json`.")],
    second: Annotated[Path, path_argument("Others, of the same images.")],
    classes: Annotated[int, typer.Option(min=0, help="Most classes shown that move.")] = 5,
    json: Annotated[Path | None, path_option("Write the comparison here too.")] = None,
) -> None:
    """Say how much the second of two score files is better, and how sure that is.

    The 95 % intervals come from 1000 draws of the images, the same for both.
    """
    from sceneparse.metrics.comparison import compare as compare_scores

    comparison = compare_scores(first, second)
    console.print(differences_table(comparison))
    for title, changes in zip(
        ("gain most", "lose most"), comparison.class_changes(classes), strict=True
    ):
        if changes:
            console.print(class_changes_table(title, changes))
    if json:
        comparison.write(json)
        console.print(f"written: {json}", soft_wrap=True)
