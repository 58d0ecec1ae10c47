"""The section of `docs/results.md` on own pictures."""

from collections.abc import Sequence

from accuracy.gains import mean_score
from accuracy.kept import Kept, Results, ranges, succeeded
from table import made_on, markdown

NAMES = {"shared": "those of ADE20K", "other": "others"}
STARTS = {"bundled": "the model of the package", "imagenet": "ImageNet"}
HEAD = ("names of classes", "start", "seeds", "mIoU", "pixel accuracy", "side", "time of asked")


def own_section(results: Results) -> list[str]:
    """Return its lines; none without results."""
    rows: list[list[str]] = []
    all_kept: list[Kept] = []
    for names, words in NAMES.items():
        for start, what in STARTS.items():
            kept = list(succeeded(results.get(f"own_{names}_{start}", {})).values())
            if kept:
                rows.append([words, what, str(len(kept)), *ranges(kept), *_planned(kept)])
                all_kept += kept
    if not rows:
        return []
    minutes = sorted({kept.run["asked"]["minutes"] for kept in all_kept})
    training, validation, width, height = all_kept[0].run["asked"]["scenes"]
    return [
        "## Own pictures",
        "",
        f"A folder of {training} generated scenes to train on and {validation} to validate on, "
        f"{width}×{height} pixels: another domain than",
        "photos. `sceneparse plan FOLDER --hours H --weights W` for "
        f"{' or '.join(f'{number:g}' for number in minutes)} minutes, and what it wrote, trained "
        "as it is. Mean over",
        "seeds, in brackets the smallest and the largest; time: what the run took, of what was "
        "asked for.",
        "",
        *markdown(HEAD, rows),
        "",
        *_verdicts(results),
        *made_on([kept.run for kept in all_kept]),
    ]


def _planned(kept: Sequence[Kept]) -> list[str]:
    shares = [one.run["wall_s"] / (60 * one.run["asked"]["minutes"]) for one in kept]
    sides = sorted({one.run["size"] for one in kept})
    times = f"{min(shares):.0%} to {max(shares):.0%}" if shares[1:] else f"{shares[0]:.0%}"
    return [", ".join(map(str, sides)), times]


def _verdicts(results: Results) -> list[str]:
    lines: list[str] = []
    for names, words in NAMES.items():
        sides = [
            list(succeeded(results.get(f"own_{names}_{start}", {})).values()) for start in STARTS
        ]
        if all(sides):
            ours, other = (mean_score([kept.score for kept in side]).miou for side in sides)
            better = "beats" if ours > other else "does not beat"
            lines += [
                f"Where their names are {words}, the model of the package {better} ImageNet alone: "
                f"{ours:.4f} and {other:.4f} mIoU.",
                "",
            ]
    return lines
