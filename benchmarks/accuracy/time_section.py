"""The section of `docs/results.md` on time to accuracy."""

from collections.abc import Mapping, Sequence

from accuracy.gains import mean_score
from accuracy.kept import Kept, Results, ranges, succeeded
from table import made_on, markdown

SIDES = {
    "time_ours": "ours, `configs/ade20k/twenty_minutes.yaml`",
    "time_smp": "`smp.Unet`, Adam 0.001, no augmentation, 256×256",
    "time_smp_adamw": "`smp.Unet`, AdamW 0.001, our augmentation, 256×256",
}
HEAD = (
    *("", "seeds", "mIoU", "pixel accuracy", "ours over it: mIoU", "accuracy"),
    *("images learned from", "longest time"),
)


def time_section(results: Results) -> list[str]:
    """Return its lines; none without results."""
    found = {name: list(succeeded(results.get(name, {})).values()) for name in SIDES}
    sides = {name: kept for name, kept in found.items() if kept}
    if not sides:
        return []
    minutes = {kept.run["asked"]["minutes"] for part in sides.values() for kept in part}
    ours = sides.get("time_ours", [])
    cells = [
        [SIDES[name], str(len(kept)), *ranges(kept), *_ratios(ours, kept), *_cost(kept)]
        for name, kept in sides.items()
    ]
    return [
        f"## After {' or '.join(f'{number:g}' for number in sorted(minutes))} minutes",
        "",
        "Mean over seeds, in brackets the smallest and the largest. All sides have one encoder, "
        "EfficientNet-Lite0 with ImageNet weights,",
        "and the same images, order, loader and protocol. Time is wall clock of the whole "
        "process without the last scoring.",
        "",
        *markdown(HEAD, cells),
        "",
        *_late(ours, min(minutes)),
        *_missing(sides),
        *made_on([kept.run for part in sides.values() for kept in part]),
    ]


def _ratios(ours: Sequence[Kept], kept: Sequence[Kept]) -> list[str]:
    if not ours or ours is kept:
        return ["–", "–"]
    pairs = zip(*(mean_score([one.score for one in part]) for part in (ours, kept)), strict=True)
    return [f"**{mine / other:.2f}**" if other else "–" for mine, other in pairs]


def _cost(kept: Sequence[Kept]) -> list[str]:
    images = sum(one.run["images_seen"] for one in kept) / len(kept)
    minutes, seconds = divmod(round(max(one.run["wall_s"] for one in kept)), 60)
    return [f"{images:,.0f}", f"{minutes}:{seconds:02d} min"]


def _late(ours: Sequence[Kept], minutes: float) -> list[str]:
    late = [str(kept.run["seed"]) for kept in ours if kept.run["wall_s"] > 60 * minutes]
    if not late:
        return []
    seeds = ", ".join(late)
    return [f"**Ours took longer than it may** (seed {seeds}): this comparison does not hold.", ""]


def _missing(sides: Mapping[str, Sequence[Kept]]) -> list[str]:
    missing = [words for name, words in SIDES.items() if name not in sides]
    return [f"Not run yet: {'; '.join(missing)}.", ""] if missing else []
