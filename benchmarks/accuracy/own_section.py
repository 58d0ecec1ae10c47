"""The section of `docs/results.md` on own images."""

from collections.abc import Mapping, Sequence

from accuracy.gains import mean_score
from accuracy.kept import Kept, Results, ranges, succeeded
from table import made_on, markdown

NAMES = {
    "shared": "scenes, their classes named as in ADE20K",
    "other": "scenes, with other names",
    "photos": "photos of ADE20K",
}
STARTS = {"bundled": "the model of the package", "imagenet": "ImageNet"}
# By minutes and names; by start.
Trials = Mapping[tuple[float, str], Mapping[str, Sequence[Kept]]]
HEAD = (
    "minutes",
    "images",
    "start",
    "seeds",
    "mIoU",
    "pixel accuracy",
    "side",
    "time of asked",
)


def own_section(results: Results) -> list[str]:
    """Return its lines; none without results."""
    trials = _trials(results)
    if not trials:
        return []
    rows = [
        [
            f"{minutes:g}",
            NAMES[names],
            STARTS[start],
            str(len(kept)),
            *ranges(kept),
            *_planned(kept),
        ]
        for (minutes, names), by_start in trials.items()
        for start, kept in by_start.items()
    ]
    all_kept = [kept for by_start in trials.values() for side in by_start.values() for kept in side]
    return [
        "## Own images",
        "",
        *_folders(trials),
        "",
        "`sceneparse plan FOLDER --hours H --weights W` for some minutes, and what it wrote, "
        "trained as it is. Mean over",
        "seeds, in brackets the smallest and the largest; time: what the run took, of what was "
        "asked for.",
        "",
        *markdown(HEAD, rows),
        "",
        *_verdicts(trials),
        *made_on([kept.run for kept in all_kept]),
    ]


def _trials(results: Results) -> Trials:
    found: dict[tuple[float, str], dict[str, list[Kept]]] = {}
    for seeds in results.values():
        for kept in succeeded(seeds).values():
            if kept.run["benchmark"] == "own_data":
                asked = kept.run["asked"]
                side = found.setdefault((asked["minutes"], asked["names"]), {})
                side.setdefault(asked["weights"], []).append(kept)
    shared_first = sorted(found, key=lambda trial: (trial[0], list(NAMES).index(trial[1])))
    return {trial: dict(sorted(found[trial].items())) for trial in shared_first}


def _folders(trials: Trials) -> list[str]:
    told = {
        names: next(iter(by_start.values()))[0].run["asked"]["scenes"]
        for (_, names), by_start in trials.items()
    }
    lines: list[str] = []
    scenes = told.get("shared") or told.get("other")
    if scenes:
        training, validation, width, height = scenes
        lines += [
            f"A folder of {training} generated scenes to train on and {validation} to validate "
            f"on, {width}×{height} pixels: another domain than",
            "photos.",
        ]
    if "photos" in told:
        training, validation, width, height = told["photos"]
        lines += [
            f"A folder of {training} photos to train on and {validation} to validate on, "
            f"{width}×{height} pixels in the median: validation",
            "images of ADE20K, none of which the model of the package has learned.",
        ]
    return lines


def _planned(kept: Sequence[Kept]) -> list[str]:
    shares = [one.run["wall_s"] / (60 * one.run["asked"]["minutes"]) for one in kept]
    sides = sorted({one.run["size"] for one in kept})
    times = f"{min(shares):.0%} to {max(shares):.0%}" if shares[1:] else f"{shares[0]:.0%}"
    return [", ".join(map(str, sides)), times]


def _verdicts(trials: Trials) -> list[str]:
    lines: list[str] = []
    for (minutes, names), by_start in trials.items():
        if by_start.keys() == STARTS.keys():
            ours, other = (
                mean_score([kept.score for kept in by_start[start]]).miou for start in STARTS
            )
            better = "beats" if ours > other else "does not beat"
            lines += [
                f"In {minutes:g} minutes, {NAMES[names]}: the model of the package {better} "
                f"ImageNet alone: {ours:.4f} and {other:.4f} mIoU.",
                "",
            ]
    return lines
