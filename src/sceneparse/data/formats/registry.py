"""The list of all annotation formats, and which one a folder is in."""

from pathlib import Path

from sceneparse.data.formats import (
    coco,
    cvat_images,
    cvat_masks,
    label_studio,
    label_studio_masks,
    labelme,
    parquet,
    roboflow_masks,
    supervisely,
    yolo,
)
from sceneparse.data.formats.annotation_format import Format
from sceneparse.errors import InputError

_MODULES = (
    coco,
    cvat_images,
    cvat_masks,
    label_studio,
    label_studio_masks,
    labelme,
    parquet,
    roboflow_masks,
    supervisely,
    yolo,
)
FORMATS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in _MODULES}


def find_format(root: Path, name: str = "auto") -> Format | None:
    """Return the annotation format of a folder; none if it is in none.

    Args:
        root: The folder.
        name: The format that a user has named, or `auto`.

    Raises:
        InputError: If it may be in several.
    """
    if name in FORMATS:
        return FORMATS[name]
    found = [each for each in FORMATS.values() if each.recognise(root)]
    if len(found) > 1:
        listed = " and ".join(f"{each.title} ({each.sign})" for each in found)
        choices = " or ".join(f"data.format={each.name}" for each in found)
        raise InputError(f"{root}: holds {listed}; set {choices}, or data.format=masks")
    return found[0] if found else None


def is_mask_of_format(name: str) -> bool:
    """Return whether a file has the name of a mask file of an annotation format."""
    return any(each.mask_names and each.mask_names.fullmatch(name) for each in FORMATS.values())


def is_annotated(root: Path) -> bool:
    """Return whether a folder is in an annotation format."""
    return any(each.recognise(root) for each in FORMATS.values())
