"""The list of all annotation formats, and which one a folder is in."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from sceneparse.data.formats.annotation_format import Format
from sceneparse.errors import InputError

# The module of each format, which is imported when a folder is opened: every command reads this.
FORMATS: dict[str, str] = {
    name: f"sceneparse.data.formats.{name}"
    for name in (
        "coco",
        "cvat_images",
        "cvat_masks",
        "label_studio",
        "label_studio_masks",
        "labelme",
        "parquet",
        "roboflow_masks",
        "supervisely",
        "yolo",
    )
}


@cache
def format_named(name: str) -> Format:
    """Return a format of `FORMATS`."""
    return import_module(FORMATS[name]).FORMAT


def find_format(root: Path, name: str = "auto") -> Format | None:
    """Return the annotation format of a folder; none if it is in none.

    Args:
        root: The folder.
        name: The format that a user has named, or `auto`.

    Raises:
        InputError: If it may be in several.
    """
    if name in FORMATS:
        return format_named(name)
    found = [each for each in _all_formats() if each.recognise(root)]
    if len(found) > 1:
        listed = " and ".join(f"{each.title} ({each.sign})" for each in found)
        choices = " or ".join(f"data.format={each.name}" for each in found)
        raise InputError(f"{root}: holds {listed}; set {choices}, or data.format=masks")
    return found[0] if found else None


def is_mask_of_format(name: str) -> bool:
    """Return whether a file is named like a mask of Label Studio, not one of an own folder."""
    from sceneparse.data.formats.label_studio_tasks import MASK_NAME

    return MASK_NAME.fullmatch(name) is not None


def is_annotated(root: Path) -> bool:
    """Return whether a folder is in an annotation format."""
    return any(each.recognise(root) for each in _all_formats())


def _all_formats() -> Iterator[Format]:
    return map(format_named, FORMATS)
