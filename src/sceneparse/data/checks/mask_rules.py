"""Rules that find faults in masks: ids, classes, palettes, kinds of file."""

from collections import Counter
from collections.abc import Iterator, Mapping

from sceneparse.data.checks.check_facts import CheckFacts, Finding, SampleFacts
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.labels import Color, Labels
from sceneparse.labels.suggestions import suggested_labels

# Edges that JPEG or smoothing has blurred leave many ids, each in few pixels.
_MANY_IDS, _FEW_PIXELS = 8, 0.01
# Share of the pixels of a class that lie between two others, above which it looks like a border.
_BORDER_SHARE = 0.5
_KINDS = {
    "L": "grey",
    "1": "black and white",
    "P": "palette",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "I;16": "grey of 16 bits",
    "I": "grey of 32 bits",
    "F": "floats",
}


def unknown_ids(facts: CheckFacts) -> Iterator[Finding]:
    """Ids that are neither a class nor ignored."""
    known = {*facts.labels.raw_ids, *facts.labels.ignored_ids}
    found = [sample for sample in facts.usable if sample.ids.keys() - known]
    if not found:
        return
    unknown = sorted({raw for sample in found for raw in sample.ids} - known)
    everything = {raw for sample in facts.usable for raw in sample.ids}
    suggestion = suggested_labels(everything, facts.labels) if facts.labels.source else None
    fix = "fix the masks, or add the ids to the classes or to ignored_ids"
    if suggestion:
        lines = " and ".join(f"`{line}`" for line in suggestion.splitlines())
        fix = f"if the ids mean that, write {lines} into {facts.labels.source}"
    elif all(_is_blurred(sample, known) for sample in found):
        fix = (
            "many ids in few pixels each are the edges of masks that were stored as JPEG or "
            "resized with smoothing; write the masks again as PNG, resized by nearest neighbour"
        )
    first = ", ".join(map(str, unknown[:8])) + (", …" if len(unknown) > 8 else "")
    yield Finding(
        "unknown_ids",
        "error",
        f"ids {first} are neither a class nor ignored; {fix}",
        tuple(sample.mask for sample in found),
    )


def too_few_classes(facts: CheckFacts) -> Iterator[Finding]:
    """Training masks with one class alone, or with none."""
    samples = [sample for sample in facts.splits.get("training", ()) if not sample.error]
    pixels: Counter[int] = Counter()
    for sample in samples:
        pixels.update(sample.ids)
    known = {*facts.labels.raw_ids, *facts.labels.ignored_ids}
    classes = sorted(raw for raw in pixels if raw in facts.labels.raw_ids)
    if len(classes) > 1 or not samples or set(pixels) - known:
        return
    if not classes:
        yield Finding(
            "nothing_labelled",
            "error",
            "every pixel of the training masks is ignored, so there is nothing to learn; check "
            "ignored_ids, and the masks",
        )
        return
    name = facts.labels.class_names[facts.labels.raw_ids.index(classes[0])]
    ignored = sum(count for raw, count in pixels.items() if raw in facts.labels.ignored_ids)
    share = ignored / sum(pixels.values())
    rest = f", and {share:.0%} of the pixels are ignored" if ignored else ""
    suggestion = suggested_labels(pixels, facts.labels) if facts.labels.source else None
    fix = "label a second class, such as `background`"
    if suggestion:
        lines = " and ".join(f"`{line}`" for line in suggestion.splitlines())
        fix = f"to make what is ignored a class, write {lines} into {facts.labels.source}"
    yield Finding(
        "one_class",
        "error",
        f"the training masks hold one class alone, `{name}`{rest}; a "
        f"model that predicts nothing else would score mIoU 1.0; {fix}",
    )


def differing_palettes(facts: CheckFacts) -> Iterator[Finding]:
    """Palette masks that give one id different colours."""
    first: dict[int, tuple[Color, str]] = {}
    for sample in facts.usable:
        if _is_read_by_color(sample, facts.labels):
            continue
        for index, color in sample.palette.items():
            expected, other = first.setdefault(index, (color, sample.mask))
            if expected != color:
                yield Finding(
                    "palettes",
                    "error",
                    f"palettes differ: index {index} is {color} in {sample.mask} and {expected} in "
                    f"{other}, so an index may be another class in each file; write the colour of "
                    f"each class into {facts.labels.source or 'labels.yaml'}, and the masks are "
                    "read by colour; or store them as grey ids",
                )
                return


def mask_kinds(facts: CheckFacts) -> Iterator[Finding]:
    """Masks that are stored in several ways."""
    kinds = Counter(_KINDS.get(sample.mask_mode, sample.mask_mode) for sample in facts.usable)
    if len(kinds) > 1:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        yield Finding(
            "mask_kinds",
            "warning",
            f"masks are stored in several ways: {listed}; check that all were made alike",
        )


def overlaps(facts: CheckFacts) -> Iterator[Finding]:
    """Shapes of different classes over each other."""
    found = [sample for sample in facts.usable if sample.overlapped]
    if found:
        share = sum(sample.overlapped for sample in found) / sum(
            sample.size[0] * sample.size[1] for sample in facts.usable
        )
        yield Finding(
            "overlaps",
            "warning",
            f"{share:.2%} of the pixels lie in shapes of different classes; they take the class of "
            "the one on top: the later one where the format has an order, else the smaller one",
            tuple(sample.image for sample in found),
        )


def shapes_without_area(facts: CheckFacts) -> Iterator[Finding]:
    """Points, lines and boxes, which mark no pixels."""
    found = [sample for sample in facts.usable if sample.without_area]
    if found:
        count = sum(sample.without_area for sample in found)
        yield Finding(
            "without_area",
            "warning",
            f"{count} annotations mark no area, such as points, lines or boxes without an outline, "
            "and are left out; draw them as polygons if they should count",
            tuple(sample.image for sample in found),
        )


def void_borders(facts: CheckFacts) -> Iterator[Finding]:
    """Classes that lie in thin bands between two others, as the borders of void in Pascal VOC."""
    pixels: Counter[int] = Counter()
    borders: Counter[int] = Counter()
    for sample in facts.usable:
        pixels.update(sample.ids)
        borders.update(sample.border_ids)
    names = dict(zip(facts.labels.raw_ids, facts.labels.class_names, strict=True))
    if pixels.keys() - {*names, *facts.labels.ignored_ids}:
        return  # Blurred masks have such bands too.
    for raw, name in names.items():
        if borders[raw] > _BORDER_SHARE * pixels[raw]:
            yield Finding(
                "void_border",
                "warning",
                f"class `{name}` lies in thin bands between two others, as the unlabelled borders "
                f"of objects do; if it means that, remove it from the classes of "
                f"{facts.labels.source or 'the labels'} and write its id {raw} into ignored_ids",
            )


def absent_classes(facts: CheckFacts) -> Iterator[Finding]:
    """Classes that never occur, or in one split alone."""
    present = {
        split: {raw for sample in samples for raw in sample.ids}
        for split, samples in facts.splits.items()
    }
    names = dict(zip(facts.labels.raw_ids, facts.labels.class_names, strict=True))
    everywhere = set().union(*present.values())
    if everywhere - {*names, *facts.labels.ignored_ids} or len(everywhere & set(names)) < 2:
        return  # Other rules tell what is wrong with the ids.
    for kind, missing, text in (
        (
            "never_present",
            []
            if isinstance(facts.data, PublishedData)
            else [name for raw, name in names.items() if raw not in everywhere],
            "never occur, and lower mIoU where it counts all classes; remove them from the labels, "
            "or leave them for data to come",
        ),
        (
            "not_in_training",
            _only_elsewhere(names, present, "training"),
            "occur, but never in the training masks, so they cannot be learned; move images "
            "between the splits",
        ),
        (
            "not_in_validation",
            _only_elsewhere(names, present, "validation"),
            "occur, but never in the validation masks, so no score tells whether they are learned",
        ),
    ):
        if missing and len(missing) < len(names):
            listed = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
            yield Finding(
                kind, "warning", f"{len(missing)} of {len(names)} classes {text}: {listed}"
            )


def _is_blurred(sample: SampleFacts, known: set[int]) -> bool:
    total = sum(sample.ids.values())
    unknown = {raw: count for raw, count in sample.ids.items() if raw not in known}
    return len(unknown) >= _MANY_IDS and max(unknown.values()) < _FEW_PIXELS * total


def _is_read_by_color(sample: SampleFacts, labels: Labels) -> bool:
    """Tell whether the palette names a class for each index."""
    colors = set(labels.colors)
    return all(
        color in colors or index in labels.ignored_ids for index, color in sample.palette.items()
    )


def _only_elsewhere(
    names: Mapping[int, str], present: Mapping[str, set[int]], split: str
) -> list[str]:
    others = set().union(*(ids for name, ids in present.items() if name != split))
    if split not in present:
        return []
    return [name for raw, name in names.items() if raw in others and raw not in present[split]]
