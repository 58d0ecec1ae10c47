"""The labels, images and shapes in the XML files of CVAT for images 1.1."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.formats.shapes import Points, Polygon, WindowRuns, ellipse, rectangle
from sceneparse.errors import InputError
from sceneparse.labels import Color

_AREAS = frozenset({"polygon", "box", "ellipse", "mask"})
# Shapes without an area, which are left out and counted.
_LINES = frozenset({"polyline", "points", "cuboid", "skeleton"})
# Numbers beyond are no pixels, and squares of them might overflow.
_MAX_NUMBER = 1e9
_AGAIN = "export the annotations again"
_COLOR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


class CvatShape(NamedTuple):
    """A shape with an area.

    Attributes:
        z_order: Its layer; higher ones lie on top.
        label: The name of its class.
        shape: The area, with 0 for its raw id.
    """

    z_order: int
    label: str
    shape: Polygon | WindowRuns


@dataclass
class CvatImage:
    """An image and its shapes.

    Attributes:
        name: Its path as it is written.
        subset: Its subset; empty if the file names none.
        size: Height and width; none if the file does not state them.
        drawn: Shapes with an area, in the order of the file.
        without_area: Number of shapes without an area.
    """

    name: str
    subset: str
    size: tuple[int, int] | None
    drawn: list[CvatShape] = field(default_factory=list)
    without_area: int = 0


@dataclass
class CvatLabel:
    """A label of a project or task.

    Attributes:
        name: Its name.
        color: RGB in 0..255; none if the file gives none.
        has_area: Whether its shapes may have an area.
        is_part: Whether it is for parts of a skeleton.
    """

    name: str = ""
    color: Color | None = None
    has_area: bool = True
    is_part: bool = False


class CvatFile:
    """What a file holds, taken from its elements one after another.

    Attributes:
        labels: The labels of the project or task by name, in its order.
        images: The images.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.labels: dict[str, CvatLabel] = {}
        self.images: list[CvatImage] = []
        self._label = CvatLabel()

    def start(self, path: Sequence[str], attributes: Mapping[str, str]) -> None:
        """Take the start of an element."""
        match path:
            case ["annotations", "image", kind]:
                self._add_shape(kind, attributes)
            case ["annotations", "image"]:
                self.images.append(_image(attributes))
            case ["annotations", "track"]:
                raise InputError(
                    "a track of `CVAT for video`; export the annotations as `CVAT for images 1.1`"
                )
            case ["annotations", "meta", *_, "labels", "label"]:
                self._label = CvatLabel()
            case [root] if root != "annotations":
                raise InputError(f"found the element `{root}`, expected `annotations`; {_AGAIN}")
            case _:
                pass

    def end(self, path: Sequence[str], text: str) -> None:
        """Take the end of an element, and its text."""
        match path:
            case ["annotations", "meta", *_, "labels", "label", key]:
                self._complete_label(key, text.strip())
            case ["annotations", "meta", *_, "labels", "label"]:
                if self._label.name and not self._label.is_part:
                    self.labels.setdefault(self._label.name, self._label)
            case _:
                pass

    def _complete_label(self, key: str, text: str) -> None:
        match key:
            case "name":
                self._label.name = text
            case "color":
                self._label.color = _color(text)
            case "type":
                self._label.has_area = text not in (*_LINES, "tag")
            case "parent":
                self._label.is_part = bool(text)
            case _:
                pass

    def _add_shape(self, kind: str, attributes: Mapping[str, str]) -> None:
        image = self.images[-1]
        if kind in _LINES:
            image.without_area += 1
        elif kind in _AREAS:
            try:
                label, z_order = _text(attributes, "label"), _integer(attributes, "z_order", "0")
                shape = _shape(kind, attributes)
            except InputError as error:
                raise InputError(
                    f"image {image.name[-200:]}: a shape `{kind}` with {error}"
                ) from None
            if shape is None:
                image.without_area += 1
            else:
                image.drawn.append(CvatShape(z_order, label, shape))
        elif kind != "tag":
            raise InputError(
                f"image {image.name[-200:]}: a shape of type `{kind[:40]}`; expected polygons, "
                "boxes, ellipses or masks; draw it as one of them"
            )


def _image(attributes: Mapping[str, str]) -> CvatImage:
    try:
        name = _text(attributes, "name")
        has_size = "width" in attributes and "height" in attributes
        size = (_count(attributes, "height"), _count(attributes, "width")) if has_size else None
    except InputError as error:
        raise InputError(f"an image with {error}") from None
    return CvatImage(name, attributes.get("subset", "").strip(), size)


def _shape(kind: str, attributes: Mapping[str, str]) -> Polygon | WindowRuns | None:
    """Return the shape of an element; none if it has no area."""
    if kind == "mask":
        return WindowRuns(
            0,
            _integer(attributes, "top"),
            _integer(attributes, "left"),
            _count(attributes, "height"),
            _count(attributes, "width"),
            _run_lengths(_text(attributes, "rle")),
        )
    if kind == "polygon":
        outline = _points(_text(attributes, "points"))
        return Polygon(0, (outline,)) if len(outline) >= 3 else None
    angle = _number(attributes, "rotation", "0")
    if kind == "box":
        left, top, right, low = (_number(attributes, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        return Polygon(0, (rectangle(left, top, right, low, angle),))
    x, y, *radii = (_number(attributes, key) for key in ("cx", "cy", "rx", "ry"))
    if min(radii) < 0:
        raise InputError(f"a radius of {min(radii):g} pixels, expected 0 or more; draw it again")
    return Polygon(0, (ellipse((x, y), (radii[0], radii[1]), angle),))


def _points(text: str) -> Points:
    try:
        points = np.array([pair.split(",") for pair in text.strip(";").split(";")], np.float64)
    except ValueError:
        points = np.zeros((1, 0))
    if points.size != 2 * len(points) or not (np.abs(points) <= _MAX_NUMBER).all():
        raise InputError(f"points `{text[:40]}`, expected pixels such as `1.5,2;3,4`; {_AGAIN}")
    return points


def _run_lengths(text: str) -> NDArray[np.int64]:
    try:
        return np.array([int(count) for count in text.split(",")], np.int64)
    except (ValueError, OverflowError):
        raise InputError(
            f"run lengths `{text[:40]}`, expected numbers of pixels such as `3, 5, 2`; {_AGAIN}"
        ) from None


def _text(attributes: Mapping[str, str], key: str, default: str = "") -> str:
    text = attributes.get(key, default).strip()
    if not text:
        raise InputError(f"no `{key}`; {_AGAIN}")
    return text


def _number(attributes: Mapping[str, str], key: str, default: str = "") -> float:
    text = _text(attributes, key, default)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= _MAX_NUMBER:
        raise InputError(f"{key} `{text[:40]}`, expected a number of pixels; {_AGAIN}")
    return number


def _integer(attributes: Mapping[str, str], key: str, default: str = "") -> int:
    number = _number(attributes, key, default)
    if not number.is_integer():
        raise InputError(f"{key} {number:g}, expected a whole number; {_AGAIN}")
    return int(number)


def _count(attributes: Mapping[str, str], key: str) -> int:
    count = _integer(attributes, key)
    if count < 1:
        raise InputError(f"{key} {count}, expected at least one pixel; {_AGAIN}")
    return count


def _color(text: str) -> Color | None:
    found = _COLOR.fullmatch(text)
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None
