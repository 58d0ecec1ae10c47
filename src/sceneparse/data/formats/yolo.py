"""YOLO segmentation: a text file of polygons for each image (https://docs.ultralytics.com).

```
ROOT/data.yaml                 names of the classes, and the folders or lists of train, val and test
ROOT/images/SPLIT/**/NAME.jpg  or SPLIT/images/**/NAME.jpg; without splits, images/**/NAME.jpg
ROOT/labels/SPLIT/**/NAME.txt  the path of the image with `labels` for `images`; one polygon per
                               line, as `class x1 y1 x2 y2 ...` in normalised coordinates
ROOT/classes.txt               without data.yaml: one class per line
```

The ids of the classes are those of the lines, which count from 0. Shapes have no order, so smaller
ones lie over larger ones. Pixels in no shape are `data.uncovered`. An image without a text file has
no objects. Lines of four numbers after the class are boxes of a detection set; they are left out,
and a data set of boxes alone is refused.

`data.yaml` often holds paths of the machine that wrote it. Their last folders are looked for in the
data set, and then any folder with the name of the split; nothing outside of the data set is read.

The writer numbers the classes from 0, in their order, whatever their ids were.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import FormatClass, class_table
from sceneparse.data.formats.documents import read_text
from sceneparse.data.formats.exporting import copy_image, ids_of_shapes
from sceneparse.data.formats.outlines import areas, without_holes
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.shapes import Points, RelativePolygon, Shape
from sceneparse.data.formats.yolo_config import (
    CLASS_LIST,
    YoloConfig,
    config_files,
    read_yolo_config,
)
from sceneparse.data.formats.yolo_splits import YoloFiles, find_files, find_splits
from sceneparse.errors import InputError
from sceneparse.labels import Labels

_TITLE = "YOLO segmentation"
_MAX_BYTES = 2**26
# How far outside of the image a corner may lie, in normalised coordinates.
_TOLERANCE = 0.05
_FOLDER_OF_SPLIT = {"training": "train", "validation": "val"}


class _Objects(NamedTuple):
    """The objects in a file of labels."""

    shapes: tuple[Shape, ...] = ()
    boxes: int = 0


def recognise(root: Path) -> bool:
    """Tell whether a folder has files of labels, and a list of the classes."""
    has_classes = bool(config_files(root)) or (root / CLASS_LIST).is_file()
    return has_classes and any(
        path.is_file() and path.name != CLASS_LIST
        for folder in (root / "labels", *root.glob("*/labels"))
        for path in folder.rglob("*.txt")
    )


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or the data set is one of detection.
    """
    config = read_yolo_config(root)
    classes = [FormatClass(name, raw) for raw, name in sorted(config.names.items())]
    table = class_table(classes, root, options, str(config.source))
    id_of_class = {number: table.id_of_name[name] for number, name in config.names.items()}
    files = find_files(root)
    splits, notes = find_splits(files, config.splits)
    used = dict.fromkeys(name for names in splits.values() for name in names)
    objects = {
        name: _read_objects(files.labels[label], id_of_class, config)
        for name in used
        if (label := label_name(name)) in files.labels
    }
    _check_objects(root, objects)
    images = [
        AnnotatedImage(
            _sample_name(name),
            files.images[name],
            ShapeAnnotation(
                files.labels.get(label_name(name), files.images[name]),
                files.images[name],
                objects.get(name, _Objects()).shapes,
                table.uncovered_id,
                in_order=False,
                without_area=objects.get(name, _Objects()).boxes,
                reading=options.reading,
            ),
            split,
        )
        for split, names in splits.items()
        for name in names
    ]
    return AnnotatedData(table.labels, images, [*notes, *_notes(files, list(used), objects)])


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write a folder with the images, a file of polygons for each, and `data.yaml`.

    Polygons have no holes: a cut without width joins a hole to the outline.
    """
    number_of = {train_id: number for number, train_id in enumerate(ids_of_shapes(labels))}
    splits: dict[str, None] = {}
    for image in images:
        folder = _FOLDER_OF_SPLIT.get(image.split, image.split)
        splits[folder] = None
        copied = copy_image(image, out / "images" / folder)
        height, width = image.mask.shape
        lines = [
            f"{number_of[area.train_id]} {_normalised(without_holes(area), height, width)}\n"
            for area in areas(image.mask, number_of)
        ]
        path = out / label_name(copied.relative_to(out).as_posix())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
    # A string of JSON is one of YAML, in any script.
    paths = [f"{json.dumps(name)}: {json.dumps(f'images/{name}')}" for name in splits if name]
    names = [
        f"  {number}: {json.dumps(labels.class_names[train_id], ensure_ascii=False)}"
        for train_id, number in number_of.items()
    ]
    (out / "data.yaml").write_text("\n".join([*paths, "names:", *names, ""]), encoding="utf-8")


FORMAT = Format(
    name="yolo",
    title=_TITLE,
    sign="a YAML file with `names`, or classes.txt, and text files in `labels`",
    recognise=recognise,
    read=read,
    write=write,
)


def label_name(image: str) -> str:
    """Return the path of the labels of an image, both below the folder of the data set."""
    *folders, name = image.split("/")
    if "images" in folders:
        # Ultralytics replaces the last one too.
        last = len(folders) - 1 - folders[::-1].index("images")
        folders[last] = "labels"
    return "/".join([*folders, name.rpartition(".")[0] + ".txt"])


def _sample_name(image: str) -> str:
    """Return the path of an image without suffix, and without the first folder called images.

    That folder holds all images; one inside of it belongs to the name that was exported.
    """
    parts = image.rpartition(".")[0].split("/")
    if "images" in parts[:-1]:
        parts.remove("images")
    return "/".join(parts)


def _read_objects(path: Path, id_of_class: Mapping[int, int], config: YoloConfig) -> _Objects:
    shapes: list[Shape] = []
    boxes = 0
    lines = read_text(path, _MAX_BYTES).splitlines()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            values = np.array([float(field) for field in fields], np.float64)
        except ValueError:
            raise InputError(
                f"{path}, line {number}: `{line[:60]}`; expected numbers between spaces, the class "
                "first; export the labels again"
            ) from None
        if values[0] not in id_of_class:
            raise InputError(
                f"{path}, line {number}: class {fields[0][:20]}, which {config.source.name} does "
                f"not name; it names {len(id_of_class)} classes, from {min(id_of_class)} to "
                f"{max(id_of_class)}; add it there, or export the labels again"
            )
        if len(values) == 5:
            boxes += 1
            continue
        points = _points(values[1:], f"{path}, line {number}")
        shapes.append(RelativePolygon(id_of_class[int(values[0])], points))
    return _Objects(tuple(shapes), boxes)


def _points(values: Points, where: str) -> Points:
    if len(values) < 6 or len(values) % 2:
        raise InputError(
            f"{where}: {len(values)} numbers after the class; expected x and y of each corner, and "
            "three corners or more; export the labels as polygons"
        )
    low, high = float(values.min()), float(values.max())
    # Comparisons with NaN are false.
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        raise InputError(
            f"{where}: coordinates from {low:g} to {high:g}, expected 0..1; they must be "
            "normalised: divide x by the width of the image, and y by its height"
        )
    return values.clip(0, 1).reshape(-1, 2)


def _check_objects(root: Path, objects: Mapping[str, _Objects]) -> None:
    boxes = sum(each.boxes for each in objects.values())
    if boxes and not any(each.shapes for each in objects.values()):
        raise InputError(
            f"{root}: a data set of detection: all {boxes} objects are boxes, four numbers after "
            "the class, which do not say what pixels belong to an object; expected polygons; "
            "export the annotations for segmentation"
        )
    if not objects:
        raise InputError(
            f"{root}: no image has a file of labels; expected labels/NAME.txt for images/NAME.jpg; "
            "put the labels there"
        )


def _notes(files: YoloFiles, used: Sequence[str], objects: Mapping[str, _Objects]) -> Iterable[str]:
    chosen = set(used)
    unused = [name for name in files.images if name not in chosen]
    if unused:
        yield f"{len(unused)} images are in no split and are left out, such as {unused[0]}"
    empty = [name for name in used if name not in objects]
    if empty:
        yield (
            f"{len(empty)} images have no file of labels and are read as images without objects, "
            f"such as {empty[0]}"
        )
    expected = {label_name(name) for name in files.images}
    orphans = [
        name
        for name in files.labels
        if name not in expected and "/labels/" in f"/{name}" and not name.endswith(CLASS_LIST)
    ]
    if orphans:
        yield f"{len(orphans)} files of labels have no image, such as {orphans[0]}"


def _normalised(outline: Points, height: int, width: int) -> str:
    """Return the corners of an outline in normalised coordinates, as text."""
    # A half is rounded up when a polygon is filled; a small error must not make it less.
    moved = outline + np.where(outline % 1, 1e-5, 0)
    points = np.minimum(moved / np.array([width, height]), 1)
    decimals = len(str(max(height, width))) + 5
    texts = (f"{value:.{decimals}f}" for value in points.ravel().tolist())
    return " ".join(text.rstrip("0").rstrip(".") for text in texts)
