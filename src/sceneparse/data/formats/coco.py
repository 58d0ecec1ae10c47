"""COCO JSON: polygons and run lengths of many images in one file (Lin et al., 2014).

```
ROOT/SPLIT/_annotations.coco.json       beside the images of a split, as Roboflow exports
ROOT/annotations/instances_SPLIT.json   with the images anywhere below ROOT
ROOT/*.json                             one file without splits, or one file per split
```

The ids of the classes are those of the categories. Shapes have no order, so smaller ones lie over
larger ones. Pixels in no shape are `data.uncovered`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

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
from sceneparse.data.formats.outlines import Area, areas
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.run_lengths import compressed
from sceneparse.data.formats.shapes import Polygon, RunLengths, Shape
from sceneparse.data.split_names import split_named
from sceneparse.errors import InputError
from sceneparse.labels import Labels

_TITLE = "COCO JSON"
_SPLIT_FILE = "_annotations.coco.json"
_INSTANCES = "instances_"
_KEYS = ("images", "annotations", "categories")
_MAX_FILES = 64


class _Category(JsonObject):
    id: int
    name: str


class _Image(JsonObject):
    id: int | str
    file_name: str
    height: int | None = None
    width: int | None = None


class _RunLengths(JsonObject):
    size: tuple[int, int]
    counts: list[int] | str


class _Annotation(JsonObject):
    image_id: int | str
    category_id: int
    segmentation: list[list[float]] | _RunLengths | None = None


class _File(JsonObject):
    images: list[_Image]
    annotations: tuple[_Annotation, ...] = ()
    categories: list[_Category]


_ADAPTER = TypeAdapter(_File)


def recognise(root: Path) -> bool:
    """Tell whether a folder holds a file of annotations in this format."""
    return bool(_annotation_files(root))


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or names an image that does not exist.
    """
    files = {path: read_json(path, _ADAPTER, _TITLE) for path in _annotation_files(root)}
    if not files:
        raise InputError(_none_found(root))
    names: dict[int, str] = {}
    for path, file in files.items():
        for category in file.categories:
            if names.setdefault(category.id, category.name) != category.name:
                raise InputError(
                    f"{path}: category {category.id} is called {category.name}, but "
                    f"{names[category.id]} in another file; give each category one name in all"
                )
    classes = [FormatClass(name, raw) for raw, name in sorted(names.items())]
    table = class_table(classes, root, options, str(next(iter(files))))
    finder = ImageFinder(root)
    splits = _splits(list(files), root)
    images = [
        each
        for path, file in files.items()
        for each in _images(path, file, splits[path], table, names, finder, options)
    ]
    return AnnotatedData(table.labels, images, finder.unused_notes(images))


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write a folder with the images and one file of annotations for each split.

    Connected areas become polygons, and run lengths where they have holes.
    """
    for split, of_split in groupby(images, lambda image: image.split):
        folder = out / split
        write_json(folder / _SPLIT_FILE, _document(folder, of_split, labels))


def _document(folder: Path, images: Iterable[LabelledImage], labels: Labels) -> dict[str, Any]:
    """Copy images to a folder, and return their annotations."""
    ids = ids_of_shapes(labels)
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        height, width = image.mask.shape
        name = copy_image(image, folder).relative_to(folder).as_posix()
        entries.append({"id": number, "file_name": name, "height": height, "width": width})
        annotations += [
            {
                "id": index,
                "image_id": number,
                "category_id": labels.raw_ids[area.train_id],
                **_segmentation(area, height, width),
            }
            for index, area in enumerate(areas(image.mask, ids), start=len(annotations) + 1)
        ]
    categories = [{"id": labels.raw_ids[each], "name": labels.class_names[each]} for each in ids]
    return {"images": entries, "annotations": annotations, "categories": categories}


FORMAT = Format(
    name="coco",
    title=_TITLE,
    sign="a JSON file with `images`, `annotations` and `categories`",
    recognise=recognise,
    read=read,
    write=write,
)


def _segmentation(area: Area, height: int, width: int) -> dict[str, Any]:
    """Return what an annotation says of an area."""
    top, left, pixels = Polygon(0, (area.outline,), area.holes).region(height, width)
    segmentation: Any = [area.outline.ravel().tolist()]
    if area.holes:
        counts = compressed(pixels, (top, left), (height, width))
        segmentation = {"size": [height, width], "counts": counts}
    return {
        "segmentation": segmentation,
        "area": int(pixels.sum()),
        "bbox": [left, top, pixels.shape[1], pixels.shape[0]],
        "iscrowd": int(bool(area.holes)),
    }


def _annotation_files(root: Path) -> list[Path]:
    """Return the files of annotations in a folder, in its folders, or in `annotations`."""
    candidates = _candidates(root)
    if len(candidates) > _MAX_FILES:
        # Most of them are those of single images.
        candidates = [path for path in candidates if _has_usual_name(path)]
    if len(candidates) > _MAX_FILES:
        return []
    found = [path for path in candidates if starts_with_keys(path, _KEYS)]
    # COCO comes with captions and key points of the same images.
    instances = [path for path in found if path.name.startswith(_INSTANCES)]
    return instances or found


def _candidates(root: Path) -> list[Path]:
    return sorted([*root.glob("*.json"), *root.glob("*/*.json")])


def _has_usual_name(path: Path) -> bool:
    return path.name == _SPLIT_FILE or path.name.startswith(_INSTANCES)


def _none_found(root: Path) -> str:
    """Return the message for a folder without annotations in this format."""
    count = len(_candidates(root))
    if count > _MAX_FILES:
        return (
            f"{root}: found {count} JSON files; of more than {_MAX_FILES}, only {_SPLIT_FILE} and "
            f"{_INSTANCES}SPLIT.json are read; give the file of annotations such a name, or move "
            "it to a folder without the others"
        )
    return f"{root}: no {_TITLE}; expected {FORMAT.sign} there or in its folders"


def _splits(paths: Sequence[Path], root: Path) -> dict[Path, str]:
    """Return the split of each file, by its folder or name; empty for a single file without."""
    splits = {path: _split_of_folder(path, root) or _split_of_name(path) for path in paths}
    if len(paths) > 1 and "" in splits.values():
        unnamed = next(path for path, split in splits.items() if not split)
        raise InputError(
            f"{unnamed}: one of {len(paths)} files of annotations, but neither its name nor its "
            "folder is that of a split; expected train, val or test in it; rename it, or keep one "
            "file"
        )
    return splits


def _split_of_name(path: Path) -> str:
    return next(filter(None, map(split_named, re.split(r"[-_.\d]+", path.stem))), "")


def _split_of_folder(path: Path, root: Path) -> str:
    # The folder of the data set may be called train for another reason.
    return "" if path.parent == root else split_named(path.parent.name)


def _images(
    path: Path,
    file: _File,
    split: str,
    table: ClassTable,
    names: dict[int, str],
    finder: ImageFinder,
    options: ReadOptions,
) -> Iterable[AnnotatedImage]:
    shapes: dict[int | str, list[Shape]] = defaultdict(list)
    without_area: dict[int | str, int] = defaultdict(int)
    known = _ids(path, file)
    for annotation in file.annotations:
        if annotation.category_id not in names or annotation.image_id not in known:
            raise InputError(
                f"{path}: an annotation of image {annotation.image_id} with category "
                f"{annotation.category_id}, which the file does not list; export it again"
            )
        shape = _shape(path, annotation, table.id_of_name[names[annotation.category_id]])
        if shape is None:
            without_area[annotation.image_id] += 1
        else:
            shapes[annotation.image_id].append(shape)
    for entry in file.images:
        image = finder.find(entry.file_name, path.parent, path)
        stated = (entry.height, entry.width) if entry.height and entry.width else None
        yield AnnotatedImage(
            finder.name(image),
            image,
            ShapeAnnotation(
                path,
                image,
                tuple(shapes[entry.id]),
                table.uncovered_id,
                in_order=False,
                stated_size=stated,
                without_area=without_area[entry.id],
                reading=options.reading,
            ),
            split,
        )


def _ids(path: Path, file: _File) -> set[int | str]:
    """Return the ids of the images, each of which must have its own."""
    known: set[int | str] = set()
    for image in file.images:
        if image.id in known:
            raise InputError(
                f"{path}: two images have the id {image.id}, one of them {image.file_name}; give "
                "each its own, or export the annotations again"
            )
        known.add(image.id)
    return known


def _shape(path: Path, annotation: _Annotation, raw_id: int) -> Shape | None:
    """Return the shape of an annotation; none if it is a box or key points alone."""
    segmentation = annotation.segmentation
    if not segmentation:
        return None
    if isinstance(segmentation, _RunLengths):
        height, width = segmentation.size
        counts = segmentation.counts
        return RunLengths(
            raw_id, height, width, counts if isinstance(counts, str) else tuple(counts)
        )
    for points in segmentation:
        if len(points) % 2:
            raise InputError(
                f"{path}: a polygon of image {annotation.image_id} with {len(points)} numbers; "
                "expected x and y of each corner; export the annotations again"
            )
    outlines = tuple(np.array(points, np.float64).reshape(-1, 2) for points in segmentation)
    return Polygon(raw_id, outlines)
