"""CVAT for images 1.1: shapes of all images in one XML file (https://docs.cvat.ai).

```
ROOT/annotations.xml        or one in each of several folders, which may be called train, val, test
ROOT/images/**/NAME.jpg     or anywhere else in the data set; in images/SUBSET for a project
```

The classes are those of the project or task, in its order, and without it the labels that occur,
sorted by name. Polygons, boxes, ellipses and masks are drawn; those with a higher `z_order` lie on
top, and of equal ones the later. The subset of an image is its split. Pixels in no shape are
`data.uncovered`; a label called `ignored` is taken as not labelled and is no class, and `write`
writes unlabelled pixels under this name.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import ClassTable, FormatClass, class_table
from sceneparse.data.formats.cvat_names import (
    IGNORED,
    IGNORED_NOTE,
    check_writable,
    splits_of_subsets,
    subset_name,
)
from sceneparse.data.formats.cvat_xml import CvatFile, CvatImage, CvatLabel
from sceneparse.data.formats.documents import read_xml
from sceneparse.data.formats.exporting import copy_image, ids_of_shapes
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.formats.rasterizer import ShapeAnnotation
from sceneparse.data.formats.run_lengths import runs_of_pixels
from sceneparse.data.split_names import split_named
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask

_TITLE = "CVAT for images 1.1"
_FILE, _IMAGES = "annotations.xml", "images"
# A folder of more XML files has one per image, in another format.
_MAX_FILES = 64
_SNIFFED = 2**16
_ROOT = re.compile(rb"<annotations[\s/>]")
_CONTENT = re.compile(rb"<(?:version|meta|image|track)[\s/>]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VOID_COLOR = "#e0e0c0"


def recognise(root: Path) -> bool:
    """Tell whether a folder holds a file of annotations in this format."""
    return bool(_annotation_files(root))


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or names an image that does not exist.
    """
    files = {path: CvatFile() for path in _annotation_files(root)}
    for path, file in files.items():
        read_xml(path, file, _TITLE)
    labels = _used_labels(files)
    names = {label.name for label in labels}
    table = class_table(
        [FormatClass(label.name, color=label.color) for label in labels if label.name != IGNORED],
        root,
        options,
        str(next(iter(files), root / _FILE)),
        ignores_shapes=IGNORED in names,
    )
    subsets = {
        path: [image.subset or split_named(path.parent.name) for image in file.images]
        for path, file in files.items()
    }
    splits = splits_of_subsets(
        {subset for each in subsets.values() for subset in each},
        str(root),
        "set the subset of each task in CVAT, and export the project again",
    )
    finder = ImageFinder(root)
    images = [
        _annotated(path, image, splits[subset], table, finder, options)
        for path, file in files.items()
        for image, subset in zip(file.images, subsets[path], strict=True)
    ]
    notes = [IGNORED_NOTE] if IGNORED in names else []
    return AnnotatedData(table.labels, images, [*finder.unused_notes(images), *notes])


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write images, and run lengths of each class in one file.

    Pixels of a class called background are left uncovered, if all others are labelled.
    """
    check_writable(labels)
    names = dict(enumerate(labels.class_names))
    ids = ids_of_shapes(labels)
    colors = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in labels.colors]
    if labels.ignored_ids:
        names[labels.ignore_index] = IGNORED
        ids = (*ids, labels.ignore_index)
        colors.append(_VOID_COLOR)
    with (out / _FILE).open("w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("<version>1.1</version>\n<meta><task><labels>\n")
        for name, color in zip(names.values(), colors, strict=True):
            _check_characters("class", name)
            text = escape(name, {"\r": "&#13;"})
            file.write(f"<label><name>{text}</name><color>{color}</color></label>\n")
        file.write("</labels></task></meta>\n")
        for number, image in enumerate(images):
            _check_characters("image", image.name)
            subset = subset_name(image.split) if image.split else ""
            folder = out / _IMAGES / subset
            copied = copy_image(image, folder)
            height, width = image.mask.shape
            attributes = {"id": number, "name": copied.relative_to(folder).as_posix()}
            split = {"subset": subset} if subset else {}
            size = {"width": width, "height": height}
            file.write(f"<image {_written(attributes | split | size)}>\n")
            for index in ids:
                if shape := _written_mask(image.mask, index):
                    file.write(f"<mask {_written({'label': names[index]} | shape)}/>\n")
            file.write("</image>\n")
        file.write("</annotations>\n")


FORMAT = Format(
    name="cvat_images",
    title=_TITLE,
    sign="an XML file with `annotations`",
    recognise=recognise,
    read=read,
    write=write,
)


def _annotation_files(root: Path) -> list[Path]:
    """Return the files of annotations in a folder, and in its folders."""
    candidates = [
        path
        for path in sorted([*root.glob("*.xml"), *root.glob("*/*.xml")])
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
    return [path for path in candidates if _starts(path)] if len(candidates) <= _MAX_FILES else []


def _starts(path: Path) -> bool:
    """Tell whether a file starts like one in this format."""
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED)
    except OSError:
        return False
    return bool(_ROOT.search(start) and _CONTENT.search(start))


def _used_labels(files: Mapping[Path, CvatFile]) -> list[CvatLabel]:
    """Return the labels of areas, in the order of the files, or by name if these list none."""
    listed = {name: label for file in files.values() for name, label in file.labels.items()}
    used: dict[str, tuple[Path, str]] = {}
    for path, file in files.items():
        for image in file.images:
            used |= {drawn.label: (path, image.name) for drawn in image.drawn}
    if not listed:
        return [CvatLabel(name) for name in sorted(used)]
    for name, (path, image) in used.items():
        if name not in listed:
            raise InputError(
                f"{path}: image {image}: a shape with the label {name}, which the file does not "
                "list in `meta`; export the annotations again"
            )
    return [label for name, label in listed.items() if label.has_area or name in used]


def _annotated(
    path: Path,
    image: CvatImage,
    split: str,
    table: ClassTable,
    finder: ImageFinder,
    options: ReadOptions,
) -> AnnotatedImage:
    images = path.parent / _IMAGES
    found = finder.find(image.name, images / image.subset, path, (images, path.parent))
    shapes = [
        replace(
            drawn.shape,
            raw_id=table.ignored_id
            if drawn.label == IGNORED and table.ignored_id is not None
            else table.id_of_name[drawn.label],
        )
        # Stable: of equal ones, the later one lies on top.
        for drawn in sorted(image.drawn, key=lambda drawn: drawn.z_order)
    ]
    annotation = ShapeAnnotation(
        path,
        found,
        shapes,
        table.uncovered_id,
        in_order=True,
        stated_size=image.size,
        without_area=image.without_area,
        reading=options.reading,
    )
    is_below = path.parent == finder.root and found.is_relative_to(images)
    return AnnotatedImage(
        finder.name(found, images if is_below else None), found, annotation, split
    )


def _written_mask(mask: Mask, train_id: int) -> dict[str, object]:
    """Return the attributes of the mask of a class; nothing if it has no pixels."""
    pixels = mask == train_id
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return {}
    top, left = int(rows[0]), int(columns[0])
    window = pixels[top : rows[-1] + 1, left : columns[-1] + 1]
    return {
        "source": "manual",
        "occluded": 0,
        "rle": ", ".join(map(str, runs_of_pixels(window))),
        "left": left,
        "top": top,
        "width": window.shape[1],
        "height": window.shape[0],
        "z_order": 0,
    }


def _written(attributes: Mapping[str, object]) -> str:
    return " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items())


def _check_characters(what: str, name: str) -> None:
    if _NOT_XML.search(name) or name != name.strip():
        raise InputError(
            f"the {what} {name!r} cannot be written into {_FILE}, which holds names without "
            "control characters, and without spaces around them; rename it"
        )
