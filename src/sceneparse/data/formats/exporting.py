"""What the writers of all formats share."""

import json
import shutil
from pathlib import Path
from typing import Any

from sceneparse.data.formats.annotation_format import LabelledImage
from sceneparse.labels import Labels
from sceneparse.labels.classes import BACKGROUND_NAMES


def ids_of_shapes(labels: Labels) -> tuple[int, ...]:
    """Return the train ids that are written as shapes.

    A class called background is left uncovered, as is usual, if no other pixels are uncovered.
    """
    return tuple(
        index
        for index, name in enumerate(labels.class_names)
        if labels.ignored_ids or name.lower() not in BACKGROUND_NAMES
    )


def copy_image(image: LabelledImage, folder: Path) -> Path:
    """Copy an image file as it is, under its name in the split, and return the new path."""
    target = folder / (image.name + image.image.suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(image.image, target)
    return target


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
