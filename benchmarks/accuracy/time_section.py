"""Writes the section of `docs/results.md` on time to accuracy."""

from collections.abc import Mapping, Sequence

from accuracy.gains import mean_scores
from accuracy.stored_results import Results, StoredResult, format_ranges, succeeded
from table import made_on, markdown

SIDES = {
    "time_ours": "ours, `configs/ade20k/twenty_minutes.yaml`",
    "time_smp": "`smp.Unet`, Adam 0.001, no augmentation, 256×256",
    "time_smp_adamw": "`smp.Unet`, AdamW 0.001, our augmentation, 256×256",
}
HEADER = (
    *("", "seeds", "mIoU", "pixel accuracy", "ratio of ours: mIoU", "accuracy"),
    *("training images processed", "max. time"),
)


def time_section(results: Results) -> list[str]:
    """Return the lines of the section; none without results."""
    found = {name: list(succeeded(results.get(name, {})).values()) for name in SIDES}
    sides = {name: stored for name, stored in found.items() if stored}
    if not sides:
        return []
    minutes = {result.run["settings"]["minutes"] for part in sides.values() for result in part}
    ours = sides.get("time_ours", [])
    cells = [
        [
            SIDES[name],
            str(len(stored)),
            *format_ranges(stored),
            *_ratios(ours, stored),
            *_cost(stored),
        ]
        for name, stored in sides.items()
    ]
    return [
        f"## After {' or '.join(f'{number:g}' for number in sorted(minutes))} minutes",
        "",
        "Scores are means over seeds, with minimum and maximum in brackets. All sides share the "
        "encoder (EfficientNet-Lite0 with ImageNet weights),",
        "images, their order, loader and protocol. Time is wall-clock time of the whole process, "
        "without the final evaluation.",
        "",
        *markdown(HEADER, cells),
        "",
        *_late(ours, min(minutes)),
        *_missing(sides),
        *made_on([result.run for part in sides.values() for result in part]),
    ]


def _ratios(ours: Sequence[StoredResult], side: Sequence[StoredResult]) -> list[str]:
    if not ours or ours is side:
        return ["–", "–"]
    pairs = zip(
        *(mean_scores([result.score for result in part]) for part in (ours, side)), strict=True
    )
    return [f"**{our / their:.2f}**" if their else "–" for our, their in pairs]


def _cost(results: Sequence[StoredResult]) -> list[str]:
    images = sum(result.run["images_seen"] for result in results) / len(results)
    minutes, seconds = divmod(round(max(result.run["wall_s"] for result in results)), 60)
    return [f"{images:,.0f}", f"{minutes}:{seconds:02d} min"]


def _late(ours: Sequence[StoredResult], minutes: float) -> list[str]:
    late = [str(result.run["seed"]) for result in ours if result.run["wall_s"] > 60 * minutes]
    if not late:
        return []
    seeds = ", ".join(late)
    return [f"**Ours exceeded the time** (seed {seeds}): this comparison does not hold.", ""]


def _missing(sides: Mapping[str, Sequence[StoredResult]]) -> list[str]:
    missing = [label for name, label in SIDES.items() if name not in sides]
    return [f"Not run yet: {'; '.join(missing)}.", ""] if missing else []
