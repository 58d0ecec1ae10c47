"""Writes the section of `docs/results.md` on own images."""

from collections.abc import Mapping, Sequence

from accuracy.gains import mean_scores
from accuracy.stored_results import Results, StoredResult, format_ranges, succeeded
from table import made_on, markdown

NAMES = {
    "shared": "scenes, classes named as in ADE20K",
    "other": "scenes, classes with other names",
    "photos": "images of ADE20K",
}
STARTS = {"bundled": "the bundled model", "imagenet": "ImageNet"}
# Results by minutes and images, then by initial weights.
Trials = Mapping[tuple[float, str], Mapping[str, Sequence[StoredResult]]]
HEADER = (
    "minutes",
    "images",
    "initial weights",
    "seeds",
    "mIoU",
    "pixel accuracy",
    "image size",
    "time taken",
)


def own_section(results: Results) -> list[str]:
    """Return the lines of the section; none without results."""
    trials = _trials(results)
    if not trials:
        return []
    rows = [
        [
            f"{minutes:g}",
            NAMES[names],
            STARTS[start],
            str(len(stored)),
            *format_ranges(stored),
            *_size_and_time(stored),
        ]
        for (minutes, names), by_start in trials.items()
        for start, stored in by_start.items()
    ]
    all_results = [
        result for by_start in trials.values() for stored in by_start.values() for result in stored
    ]
    return [
        "## Own images",
        "",
        *_folders(trials),
        "",
        "`sceneparse plan FOLDER --hours H --weights W` writes a config for the given minutes, "
        "which is trained unchanged.",
        "Scores are means over seeds, with minimum and maximum in brackets. The last column is "
        "the time that the run took, as a share of the given time.",
        "",
        *markdown(HEADER, rows),
        "",
        *_verdicts(trials),
        *made_on([result.run for result in all_results]),
    ]


def _trials(results: Results) -> Trials:
    found: dict[tuple[float, str], dict[str, list[StoredResult]]] = {}
    for seeds in results.values():
        for result in succeeded(seeds).values():
            if result.run["benchmark"] == "own_data":
                settings = result.run["settings"]
                by_start = found.setdefault((settings["minutes"], settings["names"]), {})
                by_start.setdefault(settings["weights"], []).append(result)
    ordered = sorted(found, key=lambda trial: (trial[0], list(NAMES).index(trial[1])))
    return {trial: dict(sorted(found[trial].items())) for trial in ordered}


def _folders(trials: Trials) -> list[str]:
    folders = {
        names: next(iter(by_start.values()))[0].run["settings"]["scenes"]
        for (_, names), by_start in trials.items()
    }
    lines: list[str] = []
    scenes = folders.get("shared") or folders.get("other")
    if scenes:
        training, validation, width, height = scenes
        lines += [
            f"The scenes are {training} generated training images and {validation} validation "
            f"images of {width}×{height} pixels, another domain than",
            "photos.",
        ]
    if "photos" in folders:
        training, validation, width, height = folders["photos"]
        lines += [
            f"The images of ADE20K are {training} training and {validation} validation images of "
            f"{width}×{height} pixels in the median, all from its",
            "validation set; the bundled model was not trained on any of them.",
        ]
    return lines


def _size_and_time(results: Sequence[StoredResult]) -> list[str]:
    shares = [result.run["wall_s"] / (60 * result.run["settings"]["minutes"]) for result in results]
    sizes = sorted({result.run["size"] for result in results})
    times = f"{min(shares):.0%} to {max(shares):.0%}" if shares[1:] else f"{shares[0]:.0%}"
    return [", ".join(map(str, sizes)), times]


def _verdicts(trials: Trials) -> list[str]:
    lines: list[str] = []
    for (minutes, names), by_start in trials.items():
        if by_start.keys() == STARTS.keys():
            bundled, imagenet = (
                mean_scores([result.score for result in by_start[start]]).miou for start in STARTS
            )
            verb = "beats" if bundled > imagenet else "does not beat"
            lines += [
                f"{minutes:g} minutes, {NAMES[names]}: the bundled model {verb} ImageNet weights, "
                f"with an mIoU of {bundled:.4f} and {imagenet:.4f}.",
                "",
            ]
    return lines
