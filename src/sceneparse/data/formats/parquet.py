"""Parquet files as Hugging Face stores data sets: a column of images, and one of masks.

```
ROOT/*.parquet       or ROOT/data/*.parquet, or ROOT/SPLIT/*.parquet; the name of a file or of its
                     folder says the split, such as train-00000-of-00003.parquet
ROOT/labels.yaml     classes: [background, cat, dog]
ROOT/id2label.json   without labels.yaml: {"0": "background", "1": "cat", "2": "dog"}
```

A column holds image files, as `struct<bytes: binary, path: string>` or `binary`. Columns are told
apart by their names, such as `image` and `label`. Files do not name the classes of masks. With
`labels.yaml`, masks hold ids or the colours of the classes, as in own folders; else ids. Every
pixel has a class, so `data.uncovered` has no effect.

The images are unpacked once into the user's cache. They are called as their paths in the file say,
or else by the numbers of their rows. Needs pyarrow: `pip install "sceneparse[parquet]"`.
"""

import io
import json
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sceneparse.data.annotation import MaskFile
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    LabelledImage,
    ReadOptions,
)
from sceneparse.data.formats.class_table import FormatClass, class_table
from sceneparse.data.formats.documents import read_json
from sceneparse.data.formats.exporting import write_json
from sceneparse.data.formats.own_folder import index_image, labels_yaml
from sceneparse.data.formats.parquet_table import MAGIC, POINTER, import_pyarrow
from sceneparse.data.formats.parquet_unpacking import unpack_rows
from sceneparse.data.io.mask_encodings import PLAIN_IDS, IdsOrColors, MaskEncoding
from sceneparse.data.split_names import split_named
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.classes import MAX_RAW_ID
from sceneparse.labels.label_files import read_labels

_TITLE = "Hugging Face parquet"
_NAMES = TypeAdapter(dict[int, str])
_IMAGE, _MASK = "image", "label"
_FOLDER_OF_SPLIT = {"training": "train", "": "part"}
# Programs read a group of rows as a whole.
_ROWS_OF_GROUP, _BYTES_OF_GROUP = 100, 2**26


def recognise(root: Path) -> bool:
    """Tell whether a folder holds a parquet file."""
    return any(_is_parquet(path) for path in _parquet_files(root))


def read(root: Path, options: ReadOptions) -> AnnotatedData:
    """Read a folder, and unpack its images if that has not been done.

    Raises:
        InputError: If a file is broken, it is not clear which columns to read, the classes are
            unknown, or the cache cannot be written.
    """
    paths = _parquet_files(root)
    if not paths:
        raise InputError(f"{root}: no parquet files there, in `data`, or in folders of splits")
    labels, encoding = _classes(root, options)
    unpacked = unpack_rows(root, _splits(paths, root))
    images = [
        AnnotatedImage(row.name, row.image, MaskFile(row.mask, encoding), row.split)
        for row in unpacked.rows
    ]
    notes = [f"{unpacked.left_out} rows without an image or without a mask are left out"]
    return AnnotatedData(labels, images, notes if unpacked.left_out else [])


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write one file for each split, `labels.yaml`, and `id2label.json`.

    Images are stored as they are, masks as PNG of raw ids.
    """
    (out / "data").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files: dict[str, _Writer] = {}
        for image in images:
            if image.split not in files:
                name = _FOLDER_OF_SPLIT.get(image.split, image.split)
                path = out / "data" / f"{name}-00000-of-00001.parquet"
                files[image.split] = stack.enter_context(_Writer(path))
            mask = io.BytesIO()
            index_image(image.mask, labels).save(mask, "PNG")
            files[image.split].add(
                image.image.read_bytes(), image.name, image.image.suffix, mask.getvalue()
            )
    (out / "labels.yaml").write_text(labels_yaml(labels), encoding="utf-8")
    names = dict(zip(map(str, labels.raw_ids), labels.class_names, strict=True))
    write_json(out / "id2label.json", names)


FORMAT = Format(
    name="parquet",
    title=_TITLE,
    sign="parquet files",
    recognise=recognise,
    read=read,
    write=write,
)


class _Writer:
    """Writes the rows of a parquet file, as many at a time as fit into memory easily."""

    def __init__(self, path: Path) -> None:
        pyarrow = import_pyarrow()
        cell = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        features = {_IMAGE: {"_type": "Image"}, _MASK: {"_type": "Image"}}
        self._schema: Any = pyarrow.schema(
            [(_IMAGE, cell), (_MASK, cell)],
            metadata={"huggingface": json.dumps({"info": {"features": features}})},
        )
        self._table: Any = pyarrow.Table
        self._file: Any = pyarrow.parquet.ParquetWriter(path, self._schema, use_dictionary=False)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._flush()
        finally:
            self._file.close()

    def add(self, image: bytes, name: str, suffix: str, mask: bytes) -> None:
        """Write a row."""
        name = name.encode(errors="replace").decode()
        self._rows.append(
            {
                _IMAGE: {"bytes": image, "path": name + suffix},
                _MASK: {"bytes": mask, "path": f"{name}.png"},
            }
        )
        self._bytes += len(image) + len(mask)
        if len(self._rows) >= _ROWS_OF_GROUP or self._bytes >= _BYTES_OF_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0


def _parquet_files(root: Path) -> list[Path]:
    folders = [root, *(path for path in root.glob("*/") if _is_folder_of_data(path.name))]
    found = (path for folder in folders for path in folder.glob("*.parquet"))
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _is_folder_of_data(name: str) -> bool:
    return name.lower() == "data" or bool(split_named(name))


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(POINTER)).startswith((*MAGIC, POINTER))
    except OSError:
        return False


def _splits(paths: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return the split of each file, by its name or folder; empty for all if none has one."""
    splits = {
        path: next(filter(None, map(split_named, re.split(r"[-_.\d]+", path.stem))), "")
        or (split_named(path.parent.name) if path.parent != root else "")
        for path in paths
    }
    if len(set(splits.values())) > 1 and "" in splits.values():
        unnamed = next(path for path, split in splits.items() if not split)
        raise InputError(
            f"{unnamed}: neither its name nor its folder is that of a split, while others are; "
            "call it train, validation or test, or remove it"
        )
    return splits


def _classes(root: Path, options: ReadOptions) -> tuple[Labels, MaskEncoding]:
    """Return the labels, and how masks hold them."""
    own, listed = root / "labels.yaml", root / "id2label.json"
    if own.is_file():
        labels = read_labels(str(own))
        return labels, IdsOrColors.of(labels)
    if not listed.is_file():
        raise InputError(
            f"{own}: no such file; parquet files do not say what the ids in masks mean; write the "
            "names of the classes there, such as `classes: [background, cat, dog]`, or as "
            f'{{"0": "background", "1": "cat"}} into {listed.name}'
        )
    names = read_json(listed, _NAMES, "names of classes by their ids")
    wrong = [raw for raw in names if not 0 <= raw <= MAX_RAW_ID]
    if wrong:
        raise InputError(f"{listed}: the id {wrong[0]}, expected ids in 0..{MAX_RAW_ID}; remove it")
    classes = [FormatClass(name, raw) for raw, name in sorted(names.items())]
    table = class_table(classes, root, options._replace(uncovered=None), str(listed))
    return table.labels, PLAIN_IDS
