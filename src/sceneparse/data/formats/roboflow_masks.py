"""Roboflow's export "semantic segmentation masks": a mask beside each image, and a list of classes.

```
ROOT/SPLIT/_classes.csv    "Pixel Value, Class", then the id and the name of each class
ROOT/SPLIT/NAME.jpg        the image; splits are called train, valid and test
ROOT/SPLIT/NAME_mask.png   its mask of ids
```

Without splits, all files lie in ROOT. The lists of all splits are taken together, and must agree on
ids and names. Every pixel has a class, so `data.uncovered` has no effect. A `labels.yaml` in ROOT
may add colours, another order, and ids that are ignored.

The format has no unlabelled pixels. The writer lists them as a class `__ignore__`, the name that
LabelMe gives them, and the reader ignores the ids of classes of this name. Other programs take it
for a class.
"""

import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from sceneparse.data.annotation import MaskFile
from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import FormatClass, class_table
from sceneparse.data.formats.documents import read_text
from sceneparse.data.formats.exporting import copy_image
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.io.masks import MASK_SUFFIXES
from sceneparse.data.split_names import splits_by_folder
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.classes import MAX_IGNORED_ID, MAX_RAW_ID
from sceneparse.labels.label_files import read_labels

_TITLE = "Roboflow semantic segmentation masks"
_LIST, _HEADER = "_classes.csv", "Pixel Value, Class"
_MASK, _IGNORED = "_mask", "__ignore__"
_MAX_BYTES = 2**24
_FOLDER_OF_SPLIT = {"training": "train", "validation": "valid"}


class _Classes(NamedTuple):
    """The classes of all lists: the name of each id, and the ids of unlabelled pixels."""

    names: Mapping[int, str]
    ignored_ids: tuple[int, ...]


def recognise(root: Path) -> bool:
    """Tell whether a folder or one in it has a list of classes with their values in masks."""
    return any(_is_list_of_values(path) for path in _list_files(root))


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder.

    Raises:
        InputError: If a list is broken, lists differ, or an image has no mask.
    """
    lists = _list_files(root)
    if not lists:
        raise InputError(f"{root}: no {_LIST}, with the header `{_HEADER}`; add the list")
    classes = _classes(lists)
    labels = _labels(classes, root, options, lists[0])
    split_of_list = splits_by_folder(lists, root)
    split_of = {path.parent: split for path, split in split_of_list.items()}
    finder = ImageFinder(root)
    images = [
        AnnotatedImage(finder.name(image), image, MaskFile(mask), split_of[folder])
        for folder, image, mask in _pairs(root, split_of)
    ]
    return AnnotatedData(labels, images, finder.unused_notes(images))


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write images as they are, a grey mask of raw ids beside each, and the lists of classes."""
    ids = [*zip(labels.raw_ids, labels.class_names, strict=True)]
    ids += [(raw, _IGNORED) for raw in labels.ignored_ids[:1]]
    text = "\n".join([_HEADER, *(f"{raw}, {_quoted(name)}" for raw, name in ids), ""])
    folders: dict[Path, None] = {}
    for image in images:
        folder = out / _FOLDER_OF_SPLIT.get(image.split, image.split)
        folders[folder] = None
        copied = copy_image(image, folder)
        mask = Image.fromarray(labels.decode(image.mask))
        mask.save(copied.with_name(f"{copied.stem}{_MASK}.png"))
    for folder in folders:
        (folder / _LIST).write_text(text, encoding="utf-8")


FORMAT = Format(
    name="roboflow_masks",
    title=_TITLE,
    sign=f"{_LIST} with the values of classes",
    recognise=recognise,
    read=read,
    write=write,
)


def _list_files(root: Path) -> list[Path]:
    return [path for path in sorted([root / _LIST, *root.glob(f"*/{_LIST}")]) if path.is_file()]


def _is_list_of_values(path: Path) -> bool:
    """Tell whether a list is one of values; for classification, it is a table of images."""
    try:
        with path.open("rb") as file:
            return _is_header(file.read(64).decode("utf-8-sig", "replace").split(",")[0])
    except OSError:
        return False


def _is_header(cell: str) -> bool:
    return cell.strip().lower() == _HEADER.partition(",")[0].lower()


def _classes(lists: Sequence[Path]) -> _Classes:
    """Read the classes of all lists."""
    names: dict[int, str] = {}
    ids: dict[str, int] = {}
    for path in lists:
        seen: set[int] = set()
        for raw, name in _rows(path):
            if raw in seen:
                raise InputError(f"{path}: the value {raw} is listed twice; remove a line")
            seen.add(raw)
            if names.setdefault(raw, name) != name:
                raise InputError(
                    f"{path}: the value {raw} is the class {name[:60]}, but {names[raw][:60]} in "
                    "the list of another split; export the data set again, so that all lists agree"
                )
            if name != _IGNORED and ids.setdefault(name, raw) != raw:
                raise InputError(
                    f"{path}: the class {name[:60]} has the values {ids[name]} and {raw}; give it "
                    "one in all lists and masks"
                )
    ignored_ids = tuple(raw for raw, name in names.items() if name == _IGNORED)
    return _Classes({raw: name for name, raw in ids.items()}, ignored_ids)


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the id and name of each class in a list."""
    text = read_text(path, _MAX_BYTES)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), skipinitialspace=True) if row]
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error}); export the data set again") from None
    if not rows or not _is_header(rows[0][0]):
        raise InputError(
            f"{path}: begins with {text[:40]!r}, expected `{_HEADER}`; export the data set as "
            "semantic segmentation masks"
        )
    for row in rows[1:]:
        value = row[0].strip()
        # Roboflow does not quote names with commas.
        name = ", ".join(row[1:]).strip()
        is_number = value.isascii() and value.isdecimal() and len(value) <= 5
        highest = MAX_IGNORED_ID if name == _IGNORED else MAX_RAW_ID
        if not is_number or int(value) > highest or not name:
            raise InputError(
                f"{path}: a line `{', '.join(row)[:60]}`; expected a value in 0..{highest} and the "
                "name of a class, such as `1, cat`"
            )
        yield int(value), name


def _labels(classes: _Classes, root: Path, options: ReadOptions, source: Path) -> Labels:
    """Return the labels, with the colours and the order of `labels.yaml` if there is one."""
    own = root / "labels.yaml"
    not_labelled = read_labels(str(own)).ignored_ids if own.is_file() else ()
    named = {raw: name for raw, name in classes.names.items() if raw not in not_labelled}
    entries = [FormatClass(name, raw) for raw, name in sorted(named.items())]
    labels = class_table(entries, root, options._replace(uncovered=None), str(source)).labels
    for raw, name in named.items():
        found = labels.raw_ids[labels.class_names.index(name)]
        if found != raw:
            raise InputError(
                f"{own}: the class {name} has the id {found}, but the value {raw} in {source}; "
                f"give it the id {raw}, as masks have it"
            )
    for raw in classes.ignored_ids:
        if raw in labels.raw_ids:
            raise InputError(
                f"{own}: a class has the id {raw}, but {source} says that it is not labelled "
                f"({_IGNORED}); remove one of them"
            )
    missing = [raw for raw in classes.ignored_ids if raw not in labels.ignored_ids]
    return replace(labels, ignored_ids=(*labels.ignored_ids, *missing))


def _pairs(root: Path, folders: Container[Path]) -> Iterator[tuple[Path, Path, Path]]:
    """Yield the folder of the list, the image and the mask of each sample."""
    names_in: dict[str, list[str]] = defaultdict(list)
    for directory, _, name in visible_files(root):
        names_in[directory].append(name)
    for directory, names in names_in.items():
        path = Path(directory)
        listed = next((each for each in (path, *path.parents) if each in folders), None)
        if listed is not None:
            yield from ((listed, *pair) for pair in _pairs_in(path, names))


def _pairs_in(folder: Path, names: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Yield the images of a folder with their masks, given the names of its files."""
    files = [
        (unicodedata.normalize("NFC", path.stem), path.suffix.lower(), path)
        for path in (folder / name for name in names)
    ]
    stems = {stem for stem, _, _ in files}
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for stem, suffix, path in files:
        # An image may be called so too, and then has a mask of its own.
        is_mask = stem.endswith(_MASK) and f"{stem}{_MASK}" not in stems
        if is_mask and suffix in MASK_SUFFIXES:
            _add(masks, stem.removesuffix(_MASK), path)
        elif suffix in IMAGE_SUFFIXES:
            _add(images, stem, path)
    for stem in sorted(images.keys() ^ masks.keys()):
        if stem in images:
            raise InputError(
                f"{images[stem]}: an image without the mask {stem}{_MASK}.png; add it, or remove "
                "the image"
            )
        raise InputError(
            f"{masks[stem]}: a mask without an image {stem}.jpg; add it, or remove the mask"
        )
    yield from ((path, masks[stem]) for stem, path in images.items())


def _add(files: dict[str, Path], stem: str, path: Path) -> None:
    if stem in files:
        raise InputError(
            f"{path}: {files[stem].name} has the same name with another suffix; rename one of them"
        )
    files[stem] = path


def _quoted(name: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([name])
    return text.getvalue()
