"""Rules that find faults in images: orientation, range of values, duplicates."""

from collections.abc import Iterator

from sceneparse.data.checks.check_facts import CheckFacts, Finding
from sceneparse.data.checks.duplicates import MIN_SPREAD, near_pairs

# An image is darker than an image of the day or of the night if its largest value is below this
# share of the largest that its file can hold.
_DARK_SHARE = 0.25
# Bits per value of cameras and scanners whose values lie in files of 16 bits.
_DEPTHS = (8, 10, 12, 14, 16)
# Soft edges of a shape take a smaller share of an image.
_TRANSLUCENT_SHARE = 0.5
# Images whose values differ less than this show nothing.
_BLANK_SPREAD = 1.0


def turned_images(facts: CheckFacts) -> Iterator[Finding]:
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


def small_range(facts: CheckFacts) -> Iterator[Finding]:
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


def translucent_images(facts: CheckFacts) -> Iterator[Finding]:
    """TIFFs whose transparency looks like an image: GDAL declares any fourth band to be one."""
    found = [sample for sample in facts.usable if sample.translucent > _TRANSLUCENT_SHARE]
    if found:
        yield Finding(
            "transparency",
            "warning",
            "most pixels are half transparent by the last band of the file, and are blended with "
            "white; if that band is another one, such as infrared, choose with data.bands=[1, 2, "
            "3] or [1, 2, 3, 4]",
            tuple(sample.image for sample in found),
        )


def blank_images(facts: CheckFacts) -> Iterator[Finding]:
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


def duplicates(facts: CheckFacts) -> Iterator[Finding]:
    """Images that show the same, in one split or in two."""
    samples = [
        (split, sample, sample.fingerprint)
        for split, found in facts.splits.items()
        for sample in found
        if not sample.error and sample.fingerprint is not None and sample.spread >= MIN_SPREAD
    ]
    if not samples:
        return
    across, within = [], []
    for first, second in near_pairs([each for _, _, each in samples]):
        (split, one, _), (other_split, other, _) = samples[first], samples[second]
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
