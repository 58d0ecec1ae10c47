"""Rules that find faults in a data set, from the facts about its samples.

A rule takes what was read of all splits, and yields findings. To add one, write a function and add
it to `RULES`. Rules that compare all samples, such as those for duplicates, are in `FULL_RULES`;
the quick check before a run, which reads a few samples, leaves them out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sceneparse.data.checks.duplicates import MIN_SPREAD, near_pairs
from sceneparse.data.checks.facts import SampleFacts
from sceneparse.data.checks.finding import Finding
from sceneparse.data.datasets.file_data import FileData
from sceneparse.data.datasets.published import PublishedData
from sceneparse.labels import Color, Labels
from sceneparse.labels.suggestions import suggested_labels

# An image is darker than an image of the day or of the night if its largest value is below this
# share of the largest that its file can hold.
_DARK_SHARE = 0.25
# Bits per value of cameras and scanners whose values lie in files of 16 bits.
_DEPTHS = (8, 10, 12, 14, 16)
# Images whose values differ less than this show nothing.
_BLANK_SPREAD = 1.0
# Edges that JPEG or smoothing has blurred leave many ids, each in few pixels.
_MANY_IDS, _FEW_PIXELS = 8, 0.01


class DataFacts(NamedTuple):
    """What was read of a data set.

    Attributes:
        data: Its settings.
        labels: Its classes.
        splits: Facts about the samples that were read, by split.
        notes: What a user should know about how the files were found.
        is_complete: Whether all samples were read.
    """

    data: FileData
    labels: Labels
    splits: Mapping[str, Sequence[SampleFacts]]
    notes: Sequence[str] = ()
    is_complete: bool = True

    @property
    def usable(self) -> list[SampleFacts]:
        """The samples that could be read."""
        return [
            sample for samples in self.splits.values() for sample in samples if not sample.error
        ]


Rule = Callable[[DataFacts], Iterator[Finding]]


def unreadable_files(facts: DataFacts) -> Iterator[Finding]:
    """Files that are damaged, or of another kind or size than expected."""
    kinds: dict[str, list[SampleFacts]] = defaultdict(list)
    for samples in facts.splits.values():
        for sample in samples:
            if sample.error:
                # Messages of one kind differ in paths and numbers.
                kinds[re.sub(r"\S*[/\\.]\S*|\d+", "", sample.error)].append(sample)
    for samples in kinds.values():
        yield Finding(
            "unreadable",
            "error",
            samples[0].error,
            tuple(_named(sample) for sample in samples),
        )


def unknown_ids(facts: DataFacts) -> Iterator[Finding]:
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


def too_few_classes(facts: DataFacts) -> Iterator[Finding]:
    """Training masks with one class alone, or with none."""
    samples = [sample for sample in facts.splits.get("training", ()) if not sample.error]
    pixels: Counter[int] = Counter()
    for sample in samples:
        pixels.update(sample.ids)
    known = {*facts.labels.raw_ids, *facts.labels.ignored_ids}
    classes = sorted(raw for raw in pixels if raw in facts.labels.raw_ids)
    if len(classes) > 1 or not samples or set(pixels) - known:
        return
    where = "the training masks" if facts.is_complete else "the training masks that were read"
    if not classes:
        yield Finding(
            "nothing_labelled",
            "error",
            f"every pixel of {where} is ignored, so there is nothing to learn; check ignored_ids, "
            "and the masks",
        )
        return
    name = facts.labels.class_names[facts.labels.raw_ids.index(classes[0])]
    ignored = sum(count for raw, count in pixels.items() if raw in facts.labels.ignored_ids)
    share = ignored / max(1, sum(pixels.values()))
    suggestion = suggested_labels(pixels, facts.labels) if facts.labels.source else None
    fix = "label a second class, such as `background`"
    if suggestion:
        lines = " and ".join(f"`{line}`" for line in suggestion.splitlines())
        fix = f"to make what is ignored a class, write {lines} into {facts.labels.source}"
    yield Finding(
        "one_class",
        "error",
        f"{where} hold one class alone, `{name}`, and {share:.0%} of the pixels are ignored; a "
        f"model that predicts nothing else would score mIoU 1.0; {fix}",
    )


def turned_images(facts: DataFacts) -> Iterator[Finding]:
    """Images with an EXIF orientation that their size does not confirm."""
    if not facts.data.reading.applies_orientation:
        return
    found = [
        sample
        for sample in facts.usable
        if sample.orientation != 1 and sample.size == sample.stored_size
    ]
    if found:
        values = ", ".join(map(str, sorted({sample.orientation for sample in found})))
        yield Finding(
            "orientation",
            "warning",
            f"images are turned by their EXIF orientation ({values}), and the sizes do not tell "
            "whether their masks were drawn on the image as shown or on the stored pixels; for "
            "stored pixels set data.exif_orientation=ignore",
            tuple(sample.image for sample in found),
        )


def small_range(facts: DataFacts) -> Iterator[Finding]:
    """Images whose values fill a small part of what their files can hold."""
    if facts.data.reading.value_range is not None:
        return
    for bits in (8, 16):
        samples = [sample for sample in facts.usable if sample.bits == bits]
        highest = max((sample.highest for sample in samples), default=0.0)
        limit = 2**bits - 1
        if samples and 0 < highest <= _DARK_SHARE * limit:
            depths = (depth for depth in _DEPTHS if highest < 2**depth)
            upper = 2 ** next(depths) - 1 if bits == 16 else int(highest)
            yield Finding(
                "small_range",
                "warning",
                f"the largest value in images of {bits} bits is {highest:.0f} of {limit}, so they "
                f"are read nearly black; set data.image_range=[0, {upper}]",
                tuple(sample.image for sample in samples),
            )


def differing_palettes(facts: DataFacts) -> Iterator[Finding]:
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


def mask_kinds(facts: DataFacts) -> Iterator[Finding]:
    """Masks that are stored in several ways."""
    kinds = Counter(_KINDS.get(sample.mask_mode, sample.mask_mode) for sample in facts.usable)
    if len(kinds) > 1:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        yield Finding(
            "mask_kinds",
            "warning",
            f"masks are stored in several ways: {listed}; check that all were made alike",
        )


def unusual_names(facts: DataFacts) -> Iterator[Finding]:
    """Images in a published layout whose names are not those of that data set."""
    data = facts.data
    if not isinstance(data, PublishedData) or not data.image_names:
        return
    found = [
        sample
        for sample in facts.usable
        if not re.search(data.image_names, sample.image.rpartition("/")[2])
    ]
    if found:
        yield Finding(
            "published_layout",
            "warning",
            f"the folders are those of {data.title}, so ids are taken for its "
            f"{facts.labels.num_classes} classes, but the images have other names; if the classes "
            "are your own, "
            f"write a labels.yaml with their names into {data.root}",
            tuple(sample.image for sample in found),
        )


def absent_classes(facts: DataFacts) -> Iterator[Finding]:
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


def blank_images(facts: DataFacts) -> Iterator[Finding]:
    """Images of one colour."""
    found = [sample for sample in facts.usable if sample.spread < _BLANK_SPREAD]
    # If all are so, `small_range` tells why.
    if found and len(found) < len(facts.usable):
        yield Finding(
            "blank",
            "warning",
            "images of one colour, nothing to see in them; remove them, or set data.image_range if "
            "their values fill a small range",
            tuple(sample.image for sample in found),
        )


def duplicates(facts: DataFacts) -> Iterator[Finding]:
    """Images that show the same, in one split or in two."""
    samples = [
        (split, sample)
        for split, found in facts.splits.items()
        for sample in found
        if not sample.error and sample.hash is not None and sample.spread >= MIN_SPREAD
    ]
    if not samples:
        return
    pairs = near_pairs(np.stack([sample.hash for _, sample in samples if sample.hash is not None]))
    across, within = [], []
    for first, second in pairs:
        (split, one), (other_split, other) = samples[first], samples[second]
        (within if split == other_split else across).append(f"{one.image} = {other.image}")
    if across:
        yield Finding(
            "leak",
            "warning",
            "images of one split show the same as images of another, so that scores are too high; "
            "move them into one split, or set data.group_by",
            tuple(across),
        )
    if within:
        yield Finding(
            "duplicates",
            "warning",
            "images of one split show the same, and count twice; remove one of each",
            tuple(within),
        )


def found_files(facts: DataFacts) -> Iterator[Finding]:
    """How files were matched, and which were left out."""
    for note in facts.notes:
        yield Finding("files", "warning", note)


RULES: tuple[Rule, ...] = (
    unreadable_files,
    unknown_ids,
    too_few_classes,
    differing_palettes,
    turned_images,
    small_range,
    mask_kinds,
    unusual_names,
    found_files,
)
FULL_RULES: tuple[Rule, ...] = (*RULES, absent_classes, blank_images, duplicates)

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


def findings_of(facts: DataFacts) -> list[Finding]:
    """Apply all rules that the facts suffice for; errors come first."""
    rules = FULL_RULES if facts.is_complete else RULES
    found = [finding for rule in rules for finding in rule(facts)]
    return sorted(found, key=lambda finding: finding.severity != "error")


def _named(sample: SampleFacts) -> str:
    """Return the file that an error is about."""
    return sample.image if sample.image in sample.error.partition(": ")[0] else sample.mask


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
