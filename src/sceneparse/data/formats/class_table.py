"""From the class names of a format to labels, and to the raw id of each name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sceneparse.data.formats.annotation_format import ReadOptions
from sceneparse.errors import InputError
from sceneparse.labels import Color, Labels
from sceneparse.labels.classes import BACKGROUND_NAMES, MAX_RAW_ID
from sceneparse.labels.label_files import distinct_colors, read_labels

_BACKGROUND = "background"
# Ids of ignored pixels, in the order in which they are tried.
_IGNORED_IDS = (255, 0, 65535)


class FormatClass(NamedTuple):
    """A class as a format names it.

    Attributes:
        name: Its name.
        raw_id: Its id; none if the format has no ids.
        color: RGB in 0..255; none if the format has no colours.
    """

    name: str
    raw_id: int | None = None
    color: Color | None = None


@dataclass(frozen=True)
class ClassTable:
    """The labels of a data set, and what its reader needs to write raw ids.

    Attributes:
        labels: The classes.
        id_of_name: Raw id of each class by the name that the format gives it.
        uncovered_id: Raw id of pixels in no shape; none if nobody has said what they are.
        ignored_id: Raw id of pixels that a shape marks as unlabelled; none if there are no such
            shapes.
    """

    labels: Labels
    id_of_name: Mapping[str, int]
    uncovered_id: int | None
    ignored_id: int | None = None


def class_table(
    classes: Sequence[FormatClass],
    root: Path,
    options: ReadOptions,
    source: str,
    *,
    ignores_shapes: bool = False,
) -> ClassTable:
    """Make the labels of a data set whose shapes may leave pixels uncovered.

    A `labels.yaml` in the folder fixes ids, colours and order of the classes. Without it, the ids
    are those of the format; classes without an id, or with one that is too large, are numbered from
    1 in the given order.

    Args:
        classes: The classes that the format names.
        root: The folder of the data set.
        options: What pixels in no shape are.
        source: The file that names the classes, for messages.
        ignores_shapes: Whether shapes may mark unlabelled pixels.

    Raises:
        InputError: If two classes have one name or id, or `labels.yaml` lacks a class.
    """
    if (root / "labels.yaml").is_file():
        labels = read_labels(str(root / "labels.yaml"))
        _check_complete(labels, classes, root / "labels.yaml", source)
    else:
        labels = _labels_of(_numbered(classes, source), options)
    ignored_id = None
    if ignores_shapes or options.uncovered == "ignore":
        if not labels.ignored_ids:
            labels = replace(labels, ignored_ids=(_free_id(labels),))
        ignored_id = labels.ignored_ids[0]
    id_of_name = dict(zip(labels.class_names, labels.raw_ids, strict=True))
    background = _background_of(labels)
    if options.uncovered == "background" and background is None:
        raise InputError(
            f"{root / 'labels.yaml'}: has no class `background`, which data.uncovered=background "
            "needs; add it, or set data.uncovered=ignore"
        )
    uncovered_id = id_of_name[background] if background else None
    return ClassTable(
        labels,
        id_of_name,
        {"background": uncovered_id, "ignore": ignored_id, None: None}[options.uncovered],
        ignored_id,
    )


def _labels_of(classes: Sequence[FormatClass], options: ReadOptions) -> Labels:
    named = {each.name.lower() for each in classes}
    if options.uncovered == "background" and not named & BACKGROUND_NAMES:
        taken = {each.raw_id for each in classes}
        free = next(raw for raw in range(MAX_RAW_ID + 1) if raw not in taken)
        classes = [FormatClass(_BACKGROUND, free, (0, 0, 0)), *classes]
    colors = distinct_colors(len(classes))
    return Labels(
        class_names=tuple(each.name for each in classes),
        colors=tuple(each.color or color for each, color in zip(classes, colors, strict=True)),
        raw_ids=tuple(each.raw_id or 0 for each in classes),
    )


def _numbered(classes: Sequence[FormatClass], source: str) -> list[FormatClass]:
    """Check names and ids, and number the classes if ids are missing or too large."""
    if not classes:
        raise InputError(f"{source}: names no classes; export the annotations with their classes")
    names = Counter(f"the name {each.name}" for each in classes)
    ids = Counter(f"the id {each.raw_id}" for each in classes if each.raw_id is not None)
    twice = [what for what, count in (names + ids).items() if count > 1]
    if twice:
        raise InputError(f"{source}: two classes have {twice[0]}; rename or renumber one")
    if all(each.raw_id is not None and 0 <= each.raw_id <= MAX_RAW_ID for each in classes):
        return list(classes)
    return [each._replace(raw_id=number) for number, each in enumerate(classes, start=1)]


def _check_complete(
    labels: Labels, classes: Sequence[FormatClass], path: Path, source: str
) -> None:
    missing = [each.name for each in classes if each.name not in labels.class_names]
    if missing:
        raise InputError(
            f"{path}: lacks {len(missing)} of the classes that {source} names: "
            f"{', '.join(missing[:5])}; add them, or delete it to take the classes as they are"
        )


def _background_of(labels: Labels) -> str | None:
    return next((name for name in labels.class_names if name.lower() in BACKGROUND_NAMES), None)


def _free_id(labels: Labels) -> int:
    return next(raw for raw in _IGNORED_IDS if raw not in labels.raw_ids)
