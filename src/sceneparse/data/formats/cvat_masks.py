"""CVAT segmentation mask 1.1: colour masks, and a list of the colours (https://docs.cvat.ai).

```
ROOT/labelmap.txt                          LABEL:RED,GREEN,BLUE:PARTS:ACTIONS, one per line
ROOT/SegmentationClass/**/NAME.png         the colours of the labels
ROOT/JPEGImages/**/NAME.jpg                or anywhere else in the data set
ROOT/ImageSets/Segmentation/default.txt    each NAME; or lists called Train, Validation and Test
```

The ids are the numbers of the lines of `labelmap.txt`, from 0. CVAT has no unlabelled pixels: what
lies in no shape is `background`, the first line. A label called `ignored`, as Datumaro calls the
void of Pascal VOC, is taken as not labelled and is no class; `write` writes such pixels under this
name.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from sceneparse.data.annotation import MaskFile
from sceneparse.data.file_listing import files_below
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.cvat_names import (
    IGNORED,
    IGNORED_NOTE,
    check_writable,
    is_unicode,
    splits_of_subsets,
    subset_name,
)
from sceneparse.data.formats.documents import read_text
from sceneparse.data.formats.exporting import copy_image
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.io.mask_encodings import IdsOrColors
from sceneparse.data.io.masks import MASK_SUFFIXES
from sceneparse.data.split_names import split_named
from sceneparse.errors import InputError
from sceneparse.labels import Color, Labels
from sceneparse.labels.classes import BACKGROUND_NAMES, MAX_RAW_ID
from sceneparse.labels.label_files import distinct_colors

_TITLE = "CVAT segmentation mask 1.1"
_LABELMAP, _MASKS, _IMAGES, _OBJECTS = (
    *("labelmap.txt", "SegmentationClass", "JPEGImages", "SegmentationObject"),
)
_LISTS = Path("ImageSets", "Segmentation")
_HEADER = "# label:color_rgb:parts:actions"
# Names may hold colons, so the colour is the last field that can be one.
_LINE = re.compile(r"(.*):\s*([0-9]{1,3})\s*,\s*([0-9]{1,3})\s*,\s*([0-9]{1,3})\s*(?::[^:]*){0,2}")
_VOID_COLOR = (224, 224, 192)


class _Label(NamedTuple):
    name: str
    color: Color


class _List(NamedTuple):
    path: Path
    split: str
    names: list[str]


def recognise(root: Path) -> bool:
    """Tell whether a folder holds a list of colours, and masks."""
    return (root / _LABELMAP).is_file() and (root / _MASKS).is_dir()


def read(root: Path, _options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a file is broken, or a mask has no image.
    """
    labels, encoding = _classes(root / _LABELMAP)
    masks = files_below(root / _MASKS, MASK_SUFFIXES).files
    finder = ImageFinder(root, without=(root / _MASKS, root / _OBJECTS))
    images: list[AnnotatedImage] = []
    source_of: dict[str, Path] = {}
    for source, split, names in _lists(root) or [_List(root / _MASKS, "", list(masks))]:
        # Images without shapes are listed, but have no mask.
        found = [name for listed in names if (name := _mask_name(listed, masks))]
        if not found:
            raise InputError(
                f"{source}: no mask in {root / _MASKS} has one of its {len(names)} names, such as "
                f"{names[0]}; export masks and lists together"
            )
        for name in found:
            if name in source_of:
                raise InputError(
                    f"{source}: names {name}, which is in {source_of[name].name} already; remove "
                    "one of the lines"
                )
            source_of[name] = source
            image = finder.find(name, root / _IMAGES, source)
            images.append(AnnotatedImage(name, image, MaskFile(masks[name], encoding), split))
    _check_images(images)
    notes = finder.unused_notes(images)
    unlisted = [name for name in masks if name not in source_of]
    if unlisted:
        notes.append(
            f"{len(unlisted)} masks are in no list of {root / _LISTS} and are left out, such as "
            f"{unlisted[0]}"
        )
    if labels.ignored_ids:
        notes.append(IGNORED_NOTE)
    return AnnotatedData(labels, images, notes)


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write images, colour masks, lists and `labelmap.txt`.

    The first line is for the class called background. Without one it is for pixels that are not
    labelled, since CVAT takes the first label for what lies in no shape.
    """
    written = _written_labels(labels)
    colors = dict(written)
    palette = np.zeros((labels.ignore_index + 1, 3), np.uint8)
    palette[: labels.num_classes] = [colors[name] for name in labels.class_names]
    palette[labels.ignore_index] = colors.get(IGNORED, (0, 0, 0))
    listed: dict[str, list[str]] = {}
    for image in images:
        subset = subset_name(image.split)
        name = f"{subset}/{image.name}" if image.split else image.name
        listed.setdefault(subset, []).append(_checked_line(name))
        copy_image(image._replace(name=name), out / _IMAGES)
        target = out / _MASKS / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(palette[image.mask]).save(target)
    lines = [f"{name}:{red},{green},{blue}::" for name, (red, green, blue) in written]
    (out / _LISTS).mkdir(parents=True, exist_ok=True)
    for path, content in (
        (out / _LABELMAP, [_HEADER, *lines]),
        *((out / _LISTS / f"{subset}.txt", names) for subset, names in listed.items()),
    ):
        path.write_text("\n".join(content) + "\n", encoding="utf-8")


FORMAT = Format(
    name="cvat_masks",
    title=_TITLE,
    sign="`labelmap.txt` and `SegmentationClass`",
    recognise=recognise,
    read=read,
    write=write,
)


def _classes(path: Path) -> tuple[Labels, IdsOrColors]:
    """Return the labels of a file, and the encoding of masks in its colours."""
    found = _read_labels(path)
    classes = {raw: label for raw, label in enumerate(found) if label.name != IGNORED}
    if not classes or len(found) > MAX_RAW_ID:
        raise InputError(
            f"{path}: names {len(classes)} classes; expected 1 to {MAX_RAW_ID} lines such as "
            "`car:10,200,30::`; export the annotations again"
        )
    labels = Labels(
        class_names=tuple(label.name for label in classes.values()),
        colors=tuple(label.color for label in classes.values()),
        raw_ids=tuple(classes),
        ignored_ids=tuple(raw for raw in range(len(found)) if raw not in classes),
    )
    encoding = IdsOrColors(
        colors=tuple(label.color for label in found),
        ids=tuple(range(len(found))),
        ignored_ids=labels.ignored_ids,
        source=str(path),
        only_colors=True,
    )
    return labels, encoding


def _read_labels(path: Path) -> list[_Label]:
    found: list[_Label] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        label = _label(line)
        if label and label.name and max(label.color) <= 255:
            found.append(label)
        elif label or (line.strip() and not line.startswith("#")):
            raise InputError(
                f"{path}: line {number}: found `{line.strip()[:80]}`, expected a label and its "
                "colour, such as `car:10,200,30::`; export the annotations again"
            )
    names = Counter(f"the name {label.name}" for label in found)
    colors = Counter(f"the colour {label.color}" for label in found)
    twice = [what for what, count in (names + colors).items() if count > 1]
    if twice:
        raise InputError(
            f"{path}: two labels have {twice[0]}, so masks do not tell them apart; change one in "
            "CVAT, and export the annotations again"
        )
    return found


def _label(line: str) -> _Label | None:
    """Return the label of a line; none if it is empty, a comment, or something else."""
    found = None if line.startswith("# ") else _LINE.fullmatch(line.strip())
    if not found:
        return None
    red, green, blue = map(int, found.group(2, 3, 4))
    return _Label(found[1].strip(), (red, green, blue))


def _lists(root: Path) -> list[_List]:
    """Read the lists that name images; one whose images are all in lists of splits is left out."""
    names_of: dict[Path, list[str]] = {}
    # Copies on a Mac have hidden files beside the lists.
    for path in sorted((root / _LISTS).glob("[!.]*.txt")):
        lines = [line.strip() for line in read_text(path).split("\n")]
        names_of[path] = [line for line in lines if line]
    in_splits = {name for path in names_of if split_named(path.stem) for name in names_of[path]}
    kept = {
        path: names
        for path, names in names_of.items()
        if names and (split_named(path.stem) or not in_splits.issuperset(names))
    }
    fix = "rename the list, or put its names into another one"
    splits = splits_of_subsets((path.stem for path in kept), str(root / _LISTS), fix)
    return [_List(path, splits[path.stem], names) for path, names in kept.items()]


def _mask_name(listed: str, masks: Mapping[str, Path]) -> str | None:
    """Return the name of the mask of an image in a list, which may have a suffix there."""
    name = unicodedata.normalize("NFC", listed)
    stem, dot, suffix = name.rpartition(".")
    if name not in masks and (dot + suffix).lower() in IMAGE_SUFFIXES:
        name = stem
    return name if name in masks else None


def _check_images(images: Iterable[AnnotatedImage]) -> None:
    """Check that each mask has an image of its own."""
    mask_of: dict[Path, Path] = {}
    for _, image, annotation, _ in images:
        other = mask_of.setdefault(image, annotation.path)
        if other != annotation.path:
            raise InputError(
                f"{annotation.path}: its image and that of {other} seem to be the same, {image}; "
                f"put the images of both into {_IMAGES}, under the names of the masks"
            )


def _written_labels(labels: Labels) -> list[_Label]:
    """Return the labels to write, each with a name and a colour of its own."""
    check_writable(labels)
    pairs = list(zip(labels.class_names, labels.colors, strict=True))
    # Stable: the other classes keep their order.
    pairs.sort(key=lambda pair: pair[0].lower() not in BACKGROUND_NAMES)
    if pairs[0][0].lower() not in BACKGROUND_NAMES:
        pairs.insert(0, (IGNORED, (0, 0, 0)))
    elif labels.ignored_ids:
        pairs.append((IGNORED, _VOID_COLOR))
    taken = {color for _, color in pairs}
    free = (color for color in _many_colors() if color not in taken)
    used: set[Color] = set()
    written: list[_Label] = []
    for name, color in pairs:
        label = _Label(name, next(free) if color in used else color)
        if _label(f"{name}:1,2,3::") != _Label(name, (1, 2, 3)) or not is_unicode(name):
            raise InputError(
                f"the class {name!r} cannot be written into {_LABELMAP}, which has one class on "
                "each line, without spaces around it or `# ` before it; rename the class"
            )
        used.add(label.color)
        written.append(label)
    return written


def _many_colors() -> Iterator[Color]:
    yield from dict.fromkeys(distinct_colors(500))
    yield from itertools.product(range(256), range(256), range(256))


def _checked_line(name: str) -> str:
    if name != name.strip() or "\n" in name or not is_unicode(name):
        raise InputError(
            f"the image {name!r} cannot be written into a list with one name on each line; rename "
            "the file"
        )
    return name
