"""LabelMe: a JSON file with shapes beside each image (https://github.com/wkentaro/labelme).

```
ROOT/**/NAME.json      shapes: polygons, rectangles, circles, masks; later ones lie on top;
                       a folder may be called train, val or test
ROOT/**/NAME.jpg       anywhere in the data set; NAME.json says which
ROOT/labels.txt        optional: one class per line, which fixes the ids
```

Pixels in no shape are `data.uncovered`, or the class `_background_` if `labels.txt` has it. Shapes
called `__ignore__` are unlabelled. Without `labels.txt`, the classes are those that occur, sorted
by name.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import ClassTable, FormatClass, class_table
from sceneparse.data.formats.documents import JsonObject, read_json, read_text, starts_with_keys
from sceneparse.data.formats.exporting import copy_image, ids_of_shapes, write_json
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.formats.outlines import areas, without_holes
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.shapes import Bitmap, Points, Polygon, Shape, ellipse, rectangle
from sceneparse.data.split_names import splits_by_folder
from sceneparse.errors import InputError
from sceneparse.labels import Labels

_TITLE = "LabelMe JSON"
_IGNORED, _BACKGROUND = "__ignore__", "_background_"
# Shapes without an area, which are left out and counted.
_LINES = frozenset({"line", "linestrip", "point", "points"})


class _Shape(JsonObject):
    label: str
    points: tuple[tuple[float, float], ...] = ()
    shape_type: str | None = "polygon"
    mask: str | None = None


class _File(JsonObject):
    shapes: list[_Shape]
    imagePath: str  # noqa: N815 - LabelMe's name
    imageHeight: int | None = None  # noqa: N815
    imageWidth: int | None = None  # noqa: N815


_ADAPTER = TypeAdapter(_File)


def recognise(root: Path) -> bool:
    """Tell whether the first JSON file in the folder is one of LabelMe."""
    first = next(_json_files(root), None)
    return first is not None and starts_with_keys(first, ("shapes", "imagePath"))


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or names an image that does not exist.
    """
    files = {path: read_json(path, _ADAPTER, _TITLE) for path in _json_files(root)}
    if not files:
        raise InputError(f"{root}: no {_TITLE}; expected {FORMAT.sign} there or in its folders")
    listed = _listed_classes(root)
    if options.uncovered is None and listed and _BACKGROUND in listed:
        options = options._replace(uncovered="background")
    used = {shape.label for file in files.values() for shape in file.shapes}
    names = listed or sorted(used - {_IGNORED})
    missing = sorted(used - {*names, _IGNORED})
    if missing:
        raise InputError(
            f"{root / 'labels.txt'}: lacks {len(missing)} of the labels that are used: "
            f"{', '.join(missing[:5])}; add them, or delete the file to take all that occur"
        )
    table = class_table(
        [FormatClass(name) for name in names],
        root,
        options,
        str(root),
        ignores_shapes=_IGNORED in used,
    )
    finder = ImageFinder(root)
    splits = splits_by_folder(files, root)
    images = [
        _image(path, file, table, finder, options)._replace(split=splits[path])
        for path, file in files.items()
    ]
    return AnnotatedData(table.labels, images, finder.unused_notes(images))


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write each image with a JSON file beside it, and the list of the classes.

    Larger areas come first, so that those in their holes lie on top.
    """
    ids = ids_of_shapes(labels)
    for image in images:
        copied = copy_image(image, out / image.split)
        found = sorted(areas(image.mask, ids), key=lambda area: -area.pixels)
        height, width = image.mask.shape
        document = {
            "version": "5.5.0",
            "flags": {},
            "shapes": [
                {
                    "label": labels.class_names[area.train_id],
                    "points": without_holes(area).tolist(),
                    "group_id": None,
                    "shape_type": "polygon",
                    "flags": {},
                }
                for area in found
            ],
            "imagePath": copied.name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        write_json(copied.with_suffix(".json"), document)
    (out / "labels.txt").write_text("\n".join(labels.class_names) + "\n", encoding="utf-8")


FORMAT = Format(
    name="labelme",
    title=_TITLE,
    sign="JSON files with `shapes` and `imagePath`",
    recognise=recognise,
    read=read,
    write=write,
)


def _json_files(root: Path) -> Iterator[Path]:
    for directory, _, name in visible_files(root):
        if name.lower().endswith(".json"):
            yield Path(directory, name)


def _listed_classes(root: Path) -> list[str]:
    path = root / "labels.txt"
    if not path.is_file():
        return []
    names = [line.strip() for line in read_text(path).splitlines()]
    return [name for name in names if name and name != _IGNORED]


def _image(
    path: Path, file: _File, table: ClassTable, finder: ImageFinder, options: ReadOptions
) -> AnnotatedImage:
    image = finder.find(file.imagePath, path.parent, path)
    drawn = [shape for shape in file.shapes if shape.shape_type not in _LINES]
    has_size = file.imageHeight and file.imageWidth
    annotation = ShapeAnnotation(
        path,
        image,
        tuple(_shape(shape, table, path) for shape in drawn),
        table.uncovered_id,
        in_order=True,
        stated_size=(file.imageHeight or 0, file.imageWidth or 0) if has_size else None,
        without_area=len(file.shapes) - len(drawn),
        reading=options.reading,
    )
    return AnnotatedImage(finder.name(image), image, annotation)


def _shape(shape: _Shape, table: ClassTable, path: Path) -> Shape:
    ignored = table.ignored_id if shape.label == _IGNORED else None
    raw_id = table.id_of_name[shape.label] if ignored is None else ignored
    points = np.array(shape.points, np.float64).reshape(-1, 2)
    kind = shape.shape_type or "polygon"
    if kind == "mask":
        return _mask(shape, raw_id, points, path)
    if kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        outline = ellipse((points[0, 0], points[0, 1]), (radius, radius))
    elif kind == "rectangle" and len(points) == 2:
        outline = rectangle(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    elif kind in ("polygon", "rectangle", "rotation", "oriented_rectangle"):
        outline = points
    else:
        raise InputError(
            f"{path}: a shape of type `{kind}` with {len(points)} points; expected polygons, "
            "rectangles, circles or masks; draw it as one of them"
        )
    return Polygon(raw_id, (outline,))


def _mask(shape: _Shape, raw_id: int, points: Points, path: Path) -> Bitmap:
    try:
        content = base64.b64decode(shape.mask or "", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or len(points) != 2:
        raise InputError(
            f"{path}: a shape of type `mask` without two points and pixels; draw it again"
        )
    left, top = np.clip(np.round(points[0]), -(2**31), 2**31).astype(int).tolist()
    return Bitmap(raw_id, content, top, left)
