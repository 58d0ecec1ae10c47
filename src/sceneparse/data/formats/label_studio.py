"""Label Studio JSON: tasks with their annotations, as the export "JSON" gives them.

```
ROOT/*.json            or in a folder of ROOT: a list of tasks, each with `data` and `annotations`
ROOT/**/IMAGE.jpg      the name as in `data`, with or without the eight hexadecimal digits that an
                       upload puts before it; a folder may be called train, val or test
```

Regions are polygons, rectangles, ellipses and strokes of a brush; later ones lie on top. If a task
has several annotations, the one that is marked as ground truth is read, else the last one; skipped
ones are left out. The classes are those that occur, sorted by name. Pixels in no region are
`data.uncovered`.

Rectangles are rotated around their upper left corner, as Label Studio does it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import ClassTable, FormatClass, class_table
from sceneparse.data.formats.documents import read_json
from sceneparse.data.formats.exporting import copy_image, ids_of_shapes
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.formats.label_studio_brush import encode
from sceneparse.data.formats.label_studio_regions import (
    DrawnTask,
    drawn_task,
    shape_of,
    valid_annotations,
)
from sceneparse.data.formats.label_studio_tasks import (
    TASKS,
    Task,
    exports,
    find_image,
    local_path,
    mask_files,
    names_of_images,
    short_exports,
)
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.split_names import splits_by_folder
from sceneparse.errors import InputError
from sceneparse.labels import Labels

_TITLE = "Label Studio JSON"


def recognise(root: Path) -> bool:
    """Tell whether a folder holds an export of tasks with annotations."""
    return bool(exports(root)) or (bool(short_exports(root)) and not mask_files(root))


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or names an image that does not exist.
    """
    tasks = [(path, task) for path in _files(root) for task in read_json(path, TASKS, _TITLE)]
    complete = [(path, task) for path, task in tasks if valid_annotations(task)]
    if not complete:
        raise InputError(
            f"{tasks[0][0] if tasks else root}: none of {len(tasks)} tasks has an annotation; "
            "annotate images in Label Studio, and submit them"
        )
    drawn = [drawn_task(task, path) for path, task in complete]
    classes = sorted({label for each in drawn for label, _ in each.regions})
    table = class_table([FormatClass(name) for name in classes], root, options, str(complete[0][0]))
    finder = ImageFinder(root)
    files = [find_image(task.data, finder, path) for path, task in complete]
    names, splits = names_of_images(files, finder), splits_by_folder(files, root)
    images = [
        AnnotatedImage(
            names[image], image, _annotation(path, image, each, table, options), splits[image]
        )
        for (path, _), image, each in zip(complete, files, drawn, strict=True)
    ]
    masks = mask_files(root)
    notes = [*_notes([task for _, task in tasks], drawn), *finder.unused_notes(images, masks)]
    if masks:
        notes.append(
            f"{len(masks)} brush masks, such as {masks[0].name}, are not read, since the JSON file "
            "holds the same strokes (data.format=label_studio_masks reads the masks)"
        )
    return AnnotatedData(table.labels, images, notes)


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write images, and their tasks with one brush region for each class that occurs.

    The tasks name the images as Label Studio does with files that lie on its server, in a folder
    that is mounted as the local storage.
    """
    ids = ids_of_shapes(labels)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "label_studio.json").open("w", encoding="utf-8") as file:
        file.write("[\n")
        for number, image in enumerate(images, start=1):
            copied = copy_image(image, out / "images" / image.split)
            height, width = image.mask.shape
            task = {
                "id": number,
                "data": {"image": local_path(copied, out)},
                "annotations": [
                    {
                        "id": number,
                        "was_cancelled": False,
                        "ground_truth": False,
                        "result": [
                            {
                                "id": f"{number}-{train_id}",
                                "type": "brushlabels",
                                "from_name": "tag",
                                "to_name": "image",
                                "original_width": width,
                                "original_height": height,
                                "image_rotation": 0,
                                "value": {
                                    "format": "rle",
                                    "rle": list(encode(image.mask == train_id)),
                                    "brushlabels": [labels.class_names[train_id]],
                                },
                            }
                            for train_id in np.unique(image.mask).tolist()
                            if train_id in ids
                        ],
                    }
                ],
            }
            file.write(",\n" * (number > 1) + json.dumps(task, ensure_ascii=False))
        file.write("\n]\n")


FORMAT = Format(
    name="label_studio",
    title=_TITLE,
    sign="a JSON list of tasks with `data` and `annotations`",
    recognise=recognise,
    read=read,
    write=write,
)


def _files(root: Path) -> list[Path]:
    files = exports(root)
    if not files:
        short = short_exports(root)
        what = (
            f"{short[0]}: JSON-MIN of Label Studio, which does not say which annotations are valid"
            if short
            else f"{root}: no JSON file with tasks of Label Studio and their annotations"
        )
        raise InputError(f"{what}; export the project as JSON, and put that file into {root}")
    return files


def _annotation(
    source: Path, image: Path, task: DrawnTask, table: ClassTable, options: ReadOptions
) -> ShapeAnnotation:
    try:
        shapes = [shape_of(region, table.id_of_name[label]) for label, region in task.regions]
    except InputError as error:
        raise InputError(f"{source}: {image.name}: {error}") from None
    return ShapeAnnotation(
        source,
        image,
        tuple(shapes),
        table.uncovered_id,
        in_order=True,
        stated_size=task.size,
        without_area=task.without_area,
        reading=options.reading,
    )


def _notes(tasks: Sequence[Task], drawn: Sequence[DrawnTask]) -> Iterator[str]:
    unannotated = len(tasks) - len(drawn)
    if unannotated:
        yield f"{unannotated} tasks have no annotation and are left out"
    several = sum(len(valid_annotations(task)) > 1 for task in tasks)
    if several:
        yield (
            f"{several} tasks have several annotations; the one that is marked as ground truth is "
            "read, else the last one"
        )
    without_label = sum(each.without_label for each in drawn)
    if without_label:
        yield f"{without_label} regions have no label and are left out"
