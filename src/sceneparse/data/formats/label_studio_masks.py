"""Label Studio brush masks: the files that the export "Brush labels to PNG" gives.

```
ROOT/**/task-TASK-annotation-ANNOTATION-by-USER-tag-LABEL-NUMBER.png    a file for each region
ROOT/**/IMAGE.jpg      the images; a folder may be called train, val or test
ROOT/*.json            which image each task is about: tasks of Label Studio, in any of its exports
```

A mask does not name its image. Without a JSON file, the first number in the name of an image must
be that of its task, for all tasks. A JSON file with annotations holds all that the masks hold, and
more, so that a folder with one is read as Label Studio JSON, if nobody chooses otherwise.

The masks of a task have no order, so smaller ones lie over larger ones. If a task has several
annotations, the one with the highest number is read. The classes are the labels in the names of
the files, sorted. Pixels in no mask are `data.uncovered`.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
from PIL import Image
from pydantic import TypeAdapter

from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import FormatClass, class_table
from sceneparse.data.formats.documents import read_json
from sceneparse.data.formats.exporting import copy_image, ids_of_shapes, write_json
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.formats.label_studio_tasks import (
    MASK_NAME,
    UPLOAD_PREFIX,
    exports,
    find_image,
    local_path,
    mask_files,
    names_of_images,
    task_lists,
)
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.shapes import Bitmap
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.split_names import splits_by_folder
from sceneparse.errors import InputError
from sceneparse.labels import Labels

_TITLE = "Label Studio brush masks"
_TASKS = TypeAdapter(list[dict[str, Any]])
# What follows `by-`: the user, the name of the brush in Label Studio, usually `tag`, and the label.
_ORIGINS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (r"[^-]*-tag-(.+)", r".*?-tag-(.+)", r"[^-]*-[^-]+-(.+)")
)
# Characters that a name of a file cannot have on some system, and the one that escapes them.
_RESERVED = re.compile(r'[%/\\<>:"|?*\x00-\x1f\x7f]')


class _MaskFile(NamedTuple):
    """A mask file, and what its name says."""

    path: Path
    task: int
    annotation: int
    label: str


def recognise(root: Path) -> bool:
    """Tell whether a folder holds brush masks, and no export of tasks with annotations."""
    return bool(mask_files(root)) and not exports(root)


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or it is not clear which image a mask is of.
    """
    masks = [_parsed(path) for path in mask_files(root)]
    if not masks:
        raise InputError(
            f"{root}: no masks of Label Studio, expected files such as "
            "task-1-annotation-1-by-1-tag-LABEL-0.png; export the project as brush labels to PNG"
        )
    newest, notes = _newest(masks)
    finder = ImageFinder(root)
    image_of_task, how = _image_of_task(newest, finder, root)
    labels = sorted({mask.label for each in newest.values() for mask in each})
    table = class_table([FormatClass(label) for label in labels], root, options, str(root))
    files = [image_of_task[task] for task in newest]
    names, splits = names_of_images(files, finder), splits_by_folder(files, root)
    images = [
        AnnotatedImage(
            names[image],
            image,
            ShapeAnnotation(
                _newest_file(task_masks),
                image,
                tuple(
                    Bitmap(table.id_of_name[mask.label], mask.path, fills_image=True)
                    for mask in task_masks
                ),
                table.uncovered_id,
                in_order=False,
                reading=options.reading,
            ),
            splits[image],
        )
        for image, task_masks in zip(files, newest.values(), strict=True)
    ]
    unused = finder.unused_notes(images, besides=[mask.path for mask in masks])
    return AnnotatedData(table.labels, images, [*how, *notes, *unused])


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write images, a mask for each class that occurs, and the list of tasks.

    An image without any class has an empty mask, so that it is known to be annotated.
    """
    ids = ids_of_shapes(labels)
    tasks: list[dict[str, Any]] = []
    (out / "masks").mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, start=1):
        copied = copy_image(image, out / "images" / image.split)
        tasks.append({"id": number, "data": {"image": local_path(copied, out)}})
        found = [train_id for train_id in np.unique(image.mask).tolist() if train_id in ids]
        for train_id in found or [(*ids, 0)[0]]:
            label = _RESERVED.sub(_escaped, labels.class_names[train_id])
            name = f"task-{number}-annotation-{number}-by-1-tag-{label}-0.png"
            pixels = (image.mask == train_id) & (train_id in ids)
            Image.fromarray(pixels.astype(np.uint8) * 255).save(out / "masks" / name)
    write_json(out / "tasks.json", tasks)


FORMAT = Format(
    name="label_studio_masks",
    title=_TITLE,
    sign="files such as task-1-annotation-1-by-1-tag-LABEL-0.png",
    recognise=recognise,
    read=read,
    write=write,
)


def _parsed(path: Path) -> _MaskFile:
    found = MASK_NAME.fullmatch(path.name)
    origin = found and next(filter(None, (each.fullmatch(found[3]) for each in _ORIGINS)), None)
    if not found or not origin:
        raise InputError(
            f"{path}: a mask of Label Studio without a label in its name, expected "
            "task-1-annotation-1-by-1-tag-LABEL-0.png; export the masks again"
        )
    label = unicodedata.normalize("NFC", unquote(origin[1]))
    return _MaskFile(path, int(found[1]), int(found[2]), label)


def _escaped(character: re.Match[str]) -> str:
    return quote(character[0], safe="")


def _newest(masks: Sequence[_MaskFile]) -> tuple[dict[int, list[_MaskFile]], list[str]]:
    """Return the masks of the last annotation of each task, and a note if there are others."""
    last: dict[int, int] = {}
    for mask in masks:
        last[mask.task] = max(mask.annotation, last.get(mask.task, 0))
    newest: dict[int, list[_MaskFile]] = defaultdict(list)
    for mask in masks:
        if mask.annotation == last[mask.task]:
            newest[mask.task].append(mask)
    several = len({mask.task for mask in masks if mask.annotation != last[mask.task]})
    notes = [f"{several} tasks have several annotations; the one with the highest number is read"]
    return newest, notes if several else []


def _newest_file(masks: Sequence[_MaskFile]) -> Path:
    """Return the mask file that changed last, at which caches look."""
    try:
        return max(masks, key=lambda mask: mask.path.stat().st_mtime_ns).path
    except OSError as error:
        raise InputError(f"{masks[0].path.parent}: cannot be read ({error.strerror})") from None


def _image_of_task(
    tasks: Mapping[int, Sequence[_MaskFile]], finder: ImageFinder, root: Path
) -> tuple[Mapping[int, Path], list[str]]:
    """Return the image of each task, and a note if it was found by its number alone."""
    lists = task_lists(root)
    if lists:
        return _listed_images(tasks, lists, finder), []
    found = _numbered_images(tasks, _images(root))
    example, masks = next(iter(tasks.items()))
    if found is None:
        raise InputError(
            f"{masks[0].path}: does not name its image, and no number in the names of the images "
            f"tells it for all tasks; export the project as JSON too, and put that file into {root}"
        )
    note = (
        "the masks of Label Studio do not name their images: they are matched by the first number "
        f"in the names of images, such as {masks[0].path.name} with {found[example].name}; to be "
        "sure, put the export as JSON beside them"
    )
    return found, [note]


def _listed_images(
    tasks: Mapping[int, Sequence[_MaskFile]], lists: Sequence[Path], finder: ImageFinder
) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in lists:
        for entry in read_json(path, _TASKS, "a list of tasks of Label Studio"):
            number, data = entry.get("id"), entry.get("data", entry)
            if not isinstance(number, int) or number not in tasks or not isinstance(data, dict):
                continue
            image = find_image(data, finder, path)
            if found.setdefault(number, image) != image:
                raise InputError(
                    f"{path}: task {number} is about {image.name}, but about "
                    f"{found[number].name} elsewhere; keep the JSON export of this project alone"
                )
    missing = [number for number in tasks if number not in found]
    if missing:
        raise InputError(
            f"{lists[0]}: lacks {len(missing)} of the tasks that have masks, such as {missing[0]}; "
            "export the masks and the JSON file at one time"
        )
    return found


def _numbered_images(tasks: Iterable[int], images: Iterable[Path]) -> dict[int, Path] | None:
    """Return the image whose first number is that of each task; none if it is not clear.

    The digits before the name of an upload are random.
    """
    found: dict[int, list[Path]] = defaultdict(list)
    for image in images:
        number = re.search(r"[0-9]{1,18}", image.stem)
        if number and not UPLOAD_PREFIX.match(image.name):
            found[int(number[0])].append(image)
    if any(len(found[task]) != 1 for task in tasks):
        return None
    return {task: found[task][0] for task in tasks}


def _images(root: Path) -> list[Path]:
    return [
        Path(directory, name)
        for directory, _, name in visible_files(root)
        if name[name.rfind(".") :].lower() in IMAGE_SUFFIXES and not MASK_NAME.fullmatch(name)
    ]
