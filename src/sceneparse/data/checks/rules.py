"""All rules that find faults in a data set, from the facts about its samples.

A rule takes what was read of all splits, and yields findings. To add one, write a function and add
it to `RULES`. Rules that need all samples, such as those for duplicates, are in `FULL_RULES`; the
quick check before a run, which reads a few samples, leaves them out.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from sceneparse.data.checks.check_facts import CheckFacts, Finding, SampleFacts
from sceneparse.data.checks.image_rules import (
    blank_images,
    duplicates,
    small_range,
    translucent_images,
    turned_images,
)
from sceneparse.data.checks.mask_rules import (
    absent_classes,
    differing_palettes,
    mask_kinds,
    overlaps,
    shapes_without_area,
    too_few_classes,
    unknown_ids,
    void_borders,
)
from sceneparse.data.datasets.file_data import PublishedData

Rule = Callable[[CheckFacts], Iterator[Finding]]


def unreadable_files(facts: CheckFacts) -> Iterator[Finding]:
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


def unusual_names(facts: CheckFacts) -> Iterator[Finding]:
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


def found_files(facts: CheckFacts) -> Iterator[Finding]:
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
    translucent_images,
    mask_kinds,
    overlaps,
    shapes_without_area,
    unusual_names,
    found_files,
)
FULL_RULES: tuple[Rule, ...] = (*RULES, absent_classes, blank_images, duplicates, void_borders)


def findings_of(facts: CheckFacts) -> list[Finding]:
    """Apply all rules that the facts suffice for; errors come first."""
    rules = FULL_RULES if facts.is_complete else RULES
    found = [finding for rule in rules for finding in rule(facts)]
    return sorted(found, key=lambda finding: finding.severity != "error")


def _named(sample: SampleFacts) -> str:
    """Return the file that an error is about."""
    return sample.image if sample.image in sample.error.partition(": ")[0] else sample.mask
