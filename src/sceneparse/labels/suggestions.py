"""What to write into `labels.yaml` when masks hold other ids than it says."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sceneparse.labels.classes import Labels
from sceneparse.system.yaml_text import write_yaml


def suggested_labels(found: Iterable[int], labels: "Labels") -> str | None:
    """Return the lines of `labels.yaml` that probably fit the ids in masks; none if it is unclear.

    It is a proposal for a message, and is never applied: only the owner of the masks knows.

    Args:
        found: All ids in one or several masks.
        labels: The labels as they are.

    Example:
        >>> labels = Labels(("background", "crack"), ((0, 0, 0), (9, 9, 9)), (0, 1))
        >>> suggested_labels([0, 255], labels)
        'classes: {0: background, 255: crack}'
    """
    present = set(found)
    unknown = present.difference(labels.raw_ids, labels.ignored_ids)
    ordered = sorted(zip(labels.raw_ids, labels.class_names, strict=True))
    names = [name for _, name in ordered]
    count = len(names)
    if not unknown:
        return _of_ignored_class(present, labels, names)
    if len(present & set(labels.raw_ids)) > 1 and len(unknown) == 1 and unknown <= {255, 65535}:
        return _ignoring([*labels.ignored_ids, *unknown])
    if len(present) == count:
        return _mapping(dict(zip(sorted(present), names, strict=True)))
    if count == 2 and present <= {0, 255}:
        return _mapping(dict(zip((0, 255), names, strict=True)))
    shifted = {raw + 1: name for raw, name in ordered}
    if unknown == {max(shifted)} and present <= {0, *shifted}:
        ignored = f"\n{_ignoring([0])}" if 0 in present else ""
        return _mapping(shifted) + ignored
    return None


def _of_ignored_class(present: set[int], labels: "Labels", names: list[str]) -> str | None:
    """Propose to make an ignored id a class where it stands for all that the classes leave out."""
    if len(present & set(labels.raw_ids)) > 1:
        return None
    for value in labels.ignored_ids:
        if value in present and len(names) == 2:
            low, high = sorted((labels.raw_ids[0], value))
            return _mapping(dict(zip((low, high), names, strict=True)), labels, value)
        if value in present and len(names) == 1:
            classes = {value: "background", labels.raw_ids[0]: names[0]}
            return _mapping(dict(sorted(classes.items())), labels, value)
    return None


def _mapping(classes: dict[int, str], labels: "Labels | None" = None, made_class: int = -1) -> str:
    text = write_yaml({"classes": classes}, in_one_line=True)
    text = text.strip().removeprefix("{").removesuffix("}")
    kept = [value for value in labels.ignored_ids if value != made_class] if labels else []
    return f"{text}\n{_ignoring(kept)}" if kept else text


def _ignoring(ids: list[int]) -> str:
    return f"ignored_ids: [{', '.join(map(str, sorted(ids)))}]"
