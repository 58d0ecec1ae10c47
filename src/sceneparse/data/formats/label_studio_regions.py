"""From the annotations of a task of Label Studio to shapes."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sceneparse.data.formats.label_studio_brush import BrushStrokes
from sceneparse.data.formats.label_studio_tasks import Result, Task, TaskAnnotation, Value
from sceneparse.data.formats.shapes import (
    Bitmap,
    Points,
    Polygon,
    Region,
    RelativePolygon,
    Shape,
    ellipse,
    rotated,
)
from sceneparse.errors import InputError


class DrawnTask(NamedTuple):
    """The annotation of a task that is read.

    Attributes:
        regions: Label and region of each shape, in the order of the file.
        size: Height and width of the image that they were drawn on; none if they do not say it.
        without_area: Number of regions that were left out because they have no area.
        without_label: Number of regions that were left out because they have no label.
    """

    regions: Sequence[tuple[str, Result]]
    size: tuple[int, int] | None
    without_area: int
    without_label: int


def valid_annotations(task: Task) -> list[TaskAnnotation]:
    """Return the annotations of a task that nobody has skipped."""
    return [each for each in task.annotations or () if not each.was_cancelled]


def drawn_task(task: Task, source: Path) -> DrawnTask:
    """Return the regions of the last annotation that is ground truth, else of the last one.

    Args:
        task: A task with valid annotations.
        source: The file that holds it, for messages.

    Raises:
        InputError: If a region has several labels or no shape, or the image was turned.
    """
    valid = valid_annotations(task)
    chosen = next((each for each in reversed(valid) if each.ground_truth), valid[-1])
    results = [each for each in chosen.result or () if each.type and not _is_text(each)]
    # A region and its labels may be two results.
    labelled = {each.id for each in results if each.value.labels and each.id is not None}
    regions: list[tuple[str, Result]] = []
    without_area = without_label = 0
    for result in results:
        labels = [label for label in result.value.labels or () if label]
        if not labels and result.id in labelled:
            continue
        try:
            has_area = _has_area(result)
            if has_area:
                _check(result, labels)
        except InputError as error:
            raise InputError(f"{source}: task {task.id}: {error}") from None
        if has_area and labels:
            regions.append((labels[0], result))
        without_label += has_area and not labels
        without_area += not has_area
    sizes = {
        (result.original_height, result.original_width)
        for _, result in regions
        if result.original_height and result.original_width
    }
    if len(sizes) > 1:
        listed = " and ".join(sorted(f"{width}×{height}" for height, width in sizes))
        raise InputError(
            f"{source}: task {task.id}: regions of images of {listed} pixels, expected one size; "
            "annotate the image again"
        )
    return DrawnTask(regions, next(iter(sizes), None), without_area, without_label)


def shape_of(result: Result, raw_id: int) -> Shape:
    """Return the shape of a region that has an area.

    Raises:
        InputError: If it is a bitmap that cannot be read.
    """
    value = result.value
    if value.rle is not None:
        return BrushStrokes(raw_id, value.rle)
    if value.image_url is not None:
        return Bitmap(raw_id, _content(value.image_url), fills_image=True)
    if value.points is not None:
        return RelativePolygon(raw_id, np.array(value.points, np.float64).reshape(-1, 2) / 100)
    return _Turned(raw_id, value)


@dataclass(frozen=True)
class _Turned:
    """A rectangle or an ellipse, which is rotated in pixels."""

    raw_id: int
    value: Value

    def region(self, height: int, width: int) -> Region:
        outline = _outline(self.value, np.array([width, height]) / 100)
        return Polygon(self.raw_id, (outline,)).region(height, width)


def _outline(value: Value, scale: Points) -> Points:
    """Return the outline `(N, 2)` of a rectangle or an ellipse in pixels."""
    angle = value.rotation or 0
    x, y = (np.array([value.x or 0, value.y or 0]) * scale).tolist()
    if value.radius_x is not None and value.radius_y is not None:
        horizontal, vertical = (np.array([value.radius_x, value.radius_y]) * scale).tolist()
        return ellipse((x, y), (horizontal, vertical), angle)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [value.width or 0, value.height or 0]
    return rotated(corners * scale, angle) + np.array([x, y])


def _is_text(result: Result) -> bool:
    """Tell whether labels are those of words, and not of a part of the image."""
    value = result.value
    parts = (value.x, value.points, value.rle, value.image_url, value.closed)
    return not result.kind and all(part is None for part in parts)


def _has_area(result: Result) -> bool:
    """Tell whether a region has an area.

    Raises:
        InputError: If it is a curve that encloses one, or has no shape at all.
    """
    value = result.value
    if result.kind == "vector" and value.closed:
        raise InputError("a closed vector, expected polygons or strokes of a brush; draw it as one")
    if result.kind in ("keypoint", "vector"):
        return False
    has_center = value.x is not None and value.y is not None
    has_box = value.width is not None and value.height is not None
    has_radii = value.radius_x is not None and value.radius_y is not None
    is_stored = any(each is not None for each in (value.rle, value.image_url, value.points))
    if is_stored or (has_center and (has_box or has_radii)):
        return True
    if result.kind:
        raise InputError(
            f"a region of type `{result.type}` without its shape, expected `points`, `rle`, or `x` "
            "and `y` with a size; export the annotations again, or remove the region"
        )
    return False


def _check(result: Result, labels: Sequence[str]) -> None:
    if len(set(labels)) > 1:
        raise InputError(
            f"a region with the labels {' and '.join(labels)[:200]}, but each pixel has one class; "
            "leave one label of each region"
        )
    if result.image_rotation:
        raise InputError(
            f"the image was turned by {result.image_rotation:g}° when it was annotated, so that "
            "its regions do not fit the file; turn the image file, and annotate it again"
        )
    if result.item_index:
        raise InputError(
            "regions of several images, expected one image in each task; divide the task"
        )


def _content(url: str) -> bytes:
    try:
        return base64.b64decode(url.partition("base64,")[2], validate=True)
    except ValueError:
        raise InputError("a bitmap that is not in base64; export the annotations again") from None
