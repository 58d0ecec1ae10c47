"""Supervisely: a JSON file for each image, and the classes in `meta.json`.

```
ROOT/meta.json                   classes with title, colour and perhaps an id
ROOT/DATASET/img/NAME.jpg        DATASET may be called train, val or test, and may hold others in
ROOT/DATASET/ann/NAME.jpg.json   a folder `datasets`; without data sets: ROOT/img and ROOT/ann
```

Objects are bitmaps, polygons and rectangles; later ones lie on top. Their points are taken as they
are written, in pixels from the corner of the image. Pixels in no object are `data.uncovered`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PositiveInt, TypeAdapter

from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import ClassTable, FormatClass, class_table
from sceneparse.data.formats.documents import JsonObject, read_json, starts_with_keys
from sceneparse.data.formats.exporting import copy_image, ids_of_shapes, write_json
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.shapes import (
    Points,
    Polygon,
    Shape,
    rectangle,
)
from sceneparse.data.formats.supervisely_bitmap import PackedBitmap, packed
from sceneparse.data.split_names import splits_by_folder
from sceneparse.errors import InputError
from sceneparse.labels import Color, Labels

_TITLE = "Supervisely"
# Objects without an area, or in space, which are left out and counted.
_LINES = frozenset(
    {"line", "polyline", "point", "point_location", "graph", "cuboid", "cuboid_2d", "cuboid_3d"}
)
_BITMAPS = frozenset({"bitmap", "alpha_mask"})
_FARTHEST = 2**31
_Number = Annotated[float, Field(ge=-_FARTHEST, le=_FARTHEST)]
_Points = tuple[tuple[_Number, _Number], ...]


class _Class(JsonObject):
    title: str
    shape: str | None = None
    color: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = None
    id: int | None = None


class _Meta(JsonObject):
    classes: list[_Class]


class _Outlines(JsonObject):
    exterior: _Points
    interior: tuple[_Points, ...] | None = None


class _BitmapObject(JsonObject):
    data: str
    origin: tuple[_Number, _Number]


class _Object(JsonObject):
    classTitle: str  # noqa: N815 - Supervisely's name
    geometryType: str | None = None  # noqa: N815
    points: _Outlines | _Points | None = None
    bitmap: _BitmapObject | None = None
    angle: Annotated[float, Field(ge=-1e5, le=1e5)] | None = None


class _Size(JsonObject):
    height: PositiveInt
    width: PositiveInt


class _File(JsonObject):
    size: _Size
    objects: tuple[_Object, ...]


_META, _FILE = TypeAdapter(_Meta), TypeAdapter(_File)


def recognise(root: Path) -> bool:
    """Tell whether a folder has the classes and the annotations of a project."""
    return starts_with_keys(root / "meta.json", ("classes",)) and bool(
        next(_annotation_files(root), None)
    )


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or has no image.
    """
    meta = read_json(root / "meta.json", _META, "the meta.json of Supervisely")
    table = class_table(
        [FormatClass(each.title, each.id, _rgb(each.color)) for each in meta.classes],
        root,
        options,
        str(root / "meta.json"),
    )
    shape_of_class = {each.title: each.shape for each in meta.classes}
    files = _images_of(_annotation_files(root))
    splits, names = splits_by_folder(files, root), _names(files.values(), root)
    images: list[AnnotatedImage] = []
    for path, image in files.items():
        file = read_json(path, _FILE, _TITLE)
        drawn = [each for each in file.objects if _kind(each, shape_of_class) not in _LINES]
        annotation = ShapeAnnotation(
            path,
            image,
            tuple(_shape(each, file.size, shape_of_class, table, path) for each in drawn),
            table.uncovered_id,
            in_order=True,
            stated_size=(file.size.height, file.size.width),
            without_area=len(file.objects) - len(drawn),
            reading=options.reading,
        )
        images.append(AnnotatedImage(names[image], image, annotation, splits[path]))
    return AnnotatedData(table.labels, images, ImageFinder(root).unused_notes(images))


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write a data set for each split, with a bitmap for each class that occurs in an image."""
    ids = ids_of_shapes(labels)
    classes = [
        {"title": name, "shape": "bitmap", "color": "#{:02X}{:02X}{:02X}".format(*color), "id": raw}
        for name, color, raw in zip(labels.class_names, labels.colors, labels.raw_ids, strict=True)
    ]
    write_json(out / "meta.json", {"classes": classes, "tags": [], "projectType": "images"})
    for image in images:
        *folders, name = image.name.split("/")
        dataset = out / (image.split or "images")
        for folder in folders:
            dataset = dataset / "datasets" / folder
        copied = copy_image(image._replace(name=name), dataset / "img")
        height, width = image.mask.shape
        objects: list[dict[str, Any]] = [
            {
                "classId": labels.raw_ids[train_id],
                "classTitle": labels.class_names[train_id],
                "description": "",
                "geometryType": "bitmap",
                "tags": [],
                "bitmap": packed(image.mask == train_id),
            }
            for train_id in np.unique(image.mask).tolist()
            if train_id in ids
        ]
        document = {
            "description": "",
            "tags": [],
            "size": {"height": height, "width": width},
            "objects": objects,
        }
        write_json(dataset / "ann" / f"{copied.name}.json", document)


FORMAT = Format(
    name="supervisely",
    title=_TITLE,
    sign="`meta.json` with `classes`, and folders `ann`",
    recognise=recognise,
    read=read,
    write=write,
)


def _annotation_files(root: Path) -> Iterator[Path]:
    for directory, _, name in visible_files(root):
        if Path(directory).name == "ann" and name.lower().endswith(".json"):
            yield Path(directory, name)


def _rgb(color: str | None) -> Color | None:
    if color is None:
        return None
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def _images_of(files: Iterable[Path]) -> dict[Path, Path]:
    """Return the image of each annotation file.

    Old projects leave the suffix of the image out of the name of the annotation.
    """
    images: dict[Path, Path] = {}
    by_stem: dict[Path, dict[str, list[Path]]] = {}
    for path in files:
        folder = path.parent.parent / "img"
        image = folder / path.stem
        if image.is_file():
            images[path] = image
            continue
        if folder not in by_stem:
            by_stem[folder] = defaultdict(list)
            for each in folder.glob("*"):
                by_stem[folder][each.stem].append(each)
        found = by_stem[folder].get(path.stem, [])
        if len(found) != 1:
            what = f"{len(found)} images of its name are" if found else "its image is not"
            raise InputError(
                f"{path}: {what} in {folder}, expected {image.name}; export the project with its "
                "images, or put the image there"
            )
        images[path] = found[0]
    return images


def _names(images: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return the name of each image: its data sets and its file, without suffix.

    A data set that holds all images is left out.
    """
    names: dict[Path, str] = {}
    finder = ImageFinder(root)
    for image in images:
        folders = image.relative_to(root).parts[:-2]
        if set(folders[1::2]) <= {"datasets"}:
            folders = folders[::2]
        names[image] = finder.name(root.joinpath(*folders, image.name))
    first = {name.partition("/")[0] if "/" in name else "" for name in names.values()}
    if len(first) == 1 and "" not in first:
        return {image: name.partition("/")[2] for image, name in names.items()}
    return names


def _kind(each: _Object, shape_of_class: Mapping[str, str | None]) -> str | None:
    """Return the type of an object, which old projects leave to its class."""
    if each.geometryType:
        return each.geometryType
    return "bitmap" if each.bitmap else shape_of_class.get(each.classTitle)


def _shape(
    each: _Object,
    size: _Size,
    shape_of_class: Mapping[str, str | None],
    table: ClassTable,
    path: Path,
) -> Shape:
    raw_id = table.id_of_name.get(each.classTitle)
    kind = _kind(each, shape_of_class)
    if raw_id is None or each.classTitle not in shape_of_class:
        raise InputError(
            f"{path}: an object of the class {each.classTitle}, which meta.json does not list; "
            "export the project again"
        )
    if kind in _BITMAPS and each.bitmap:
        left, top = (math.floor(value) for value in each.bitmap.origin)
        return PackedBitmap(raw_id, each.bitmap.data, top, left, size.height * size.width)
    if kind == "polygon" and isinstance(each.points, _Outlines):
        holes = tuple(_array(hole) for hole in each.points.interior or ())
        return Polygon(raw_id, (_array(each.points.exterior),), holes)
    corners = each.points.exterior if isinstance(each.points, _Outlines) else each.points or ()
    if kind in ("rectangle", "oriented_bbox") and len(corners) == 2:
        (left, top), (right, low) = _array(corners).min(axis=0), _array(corners).max(axis=0)
        angle = math.degrees(each.angle or 0)
        return Polygon(raw_id, (rectangle(left, top, right, low, angle),))
    raise InputError(
        f"{path}: an object of type `{kind}` with {len(corners)} points; expected bitmaps, "
        "polygons or rectangles; convert it to one of them in Supervisely"
    )


def _array(points: _Points) -> Points:
    return np.array(points, np.float64).reshape(-1, 2)
