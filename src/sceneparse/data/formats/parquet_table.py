"""Parquet files with a column of images and one of masks, read row by row.

pyarrow is imported only when a file is opened or written.
"""

import importlib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sceneparse.errors import InputError

# The first bytes of a parquet file, and of one whose footer is encrypted.
MAGIC = (b"PAR1", b"PARE")
# What Git stores instead of a large file until `git lfs pull` gets it.
POINTER = b"version https://git-lfs"
_MAX_ROWS = 5_000_000
_IMAGE_NAMES = frozenset(
    {
        *("image", "images", "img", "imgs", "pixel_values", "picture", "photo", "rgb"),
        *("input", "input_image", "image_bytes", "img_bytes"),
    }
)
_MASK_NAMES = frozenset(
    {
        *("label", "labels", "mask", "masks", "annotation", "annotations", "annotated"),
        *("segmentation", "segmentations", "segmentation_mask", "segmentation_map", "seg"),
        *("seg_mask", "seg_map", "semantic", "semantic_mask", "semantic_map"),
        *("semantic_segmentation", "label_map", "labelmap", "label_image", "mask_image"),
        *("annotation_image", "image_mask", "mask_bytes", "label_bytes", "target", "gt"),
        *("ground_truth", "groundtruth"),
    }
)


class Cell(NamedTuple):
    """An image file in a table.

    Attributes:
        content: Its bytes; empty if there is none.
        path: Its path as it is written; empty if there is none.
    """

    content: bytes
    path: str


@dataclass(frozen=True)
class Table:
    """A parquet file.

    Attributes:
        path: The file.
        image: Name of the column of images.
        mask: Name of the column of masks.
        rows: Number of rows.
        bytes: Size of both columns in bytes, without compression.
    """

    path: Path
    image: str
    mask: str
    rows: int
    bytes: int

    def cells(self) -> Iterator[tuple[Cell, Cell]]:
        """Yield the image and the mask of each row.

        Raises:
            InputError: If the file is broken, or an image lies in another file.
        """
        with _opened(self.path) as file:
            for row, batch in enumerate(_batches(file, [self.image, self.mask])):
                image, mask = (
                    _cell(batch.column(name)[0].as_py(), f"{self.path}, row {row}, {name}")
                    for name in (self.image, self.mask)
                )
                yield image, mask

    def image_paths(self) -> Iterator[str]:
        """Yield the path of the image of each row as it is written; empty if there is none.

        Raises:
            InputError: If the file is broken.
        """
        with _opened(self.path) as file:
            kind = file.schema_arrow.field(self.image).type
            if _is_binary(kind) or "path" not in kind.names:
                yield from [""] * self.rows
                return
            for batch in _batches(file, [f"{self.image}.path"], 1000):
                for value in batch.column(self.image).to_pylist():
                    path = (value or {}).get("path")
                    yield path if isinstance(path, str) else ""


def import_pyarrow() -> Any:
    """Import pyarrow and its module for parquet.

    Raises:
        InputError: If it is not installed.
    """
    try:
        pyarrow = importlib.import_module("pyarrow")
        importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            'parquet files need pyarrow; install it with `pip install "sceneparse[parquet]"`'
        ) from None
    return pyarrow


def open_table(path: Path) -> Table:
    """Read the columns and the size of a file.

    Raises:
        InputError: If the file is broken, or it is not clear which columns hold images and masks.
    """
    with _opened(path) as file:
        metadata = file.metadata
        if metadata.num_rows > _MAX_ROWS:
            raise InputError(
                f"{path}: {metadata.num_rows} rows, expected at most {_MAX_ROWS}; divide the data "
                "set into several"
            )
        image, mask = _columns(path, file.schema_arrow)
        size = 0
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                if column.path_in_schema.partition(".")[0] in (image, mask):
                    size += max(0, column.total_uncompressed_size)
        return Table(path, image, mask, metadata.num_rows, size)


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    """Open a file, and convert errors while it is open to an `InputError`."""
    pyarrow = import_pyarrow()
    try:
        with path.open("rb") as raw:
            if raw.read(len(POINTER)) == POINTER:
                raise InputError(
                    f"{path}: a pointer of Git LFS, not the file itself; run `git lfs pull` there"
                )
        # With a buffer, no column is read into memory as a whole.
        with pyarrow.parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (
        *(pyarrow.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError),
        *(ArithmeticError, MemoryError, RecursionError),
    ) as error:
        found = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: cannot be read as parquet ({found}); it may be broken or encrypted; download "
            "or write it again"
        ) from None


def _batches(file: Any, columns: Sequence[str], size: int = 1) -> Iterator[Any]:
    """Yield the rows, a few at a time so that little memory is taken."""
    rows = 0
    for group in range(file.metadata.num_row_groups):
        for batch in file.iter_batches(
            batch_size=size, row_groups=[group], columns=list(columns), use_threads=False
        ):
            rows += batch.num_rows
            if not batch.num_rows or rows > file.metadata.num_rows:
                break
            yield batch
    # A broken file may hold another number of rows than it says.
    if rows != file.metadata.num_rows:
        raise ValueError(f"it says that it has {file.metadata.num_rows} rows, but has others")


def _cell(value: Any, where: str) -> Cell:
    if not isinstance(value, dict):
        return Cell(value or b"", "")
    content, path = value.get("bytes"), value.get("path")
    path = path if isinstance(path, str) else ""
    if not content and path:
        raise InputError(
            f"{where}: names the file {path[-200:]} instead of holding it; write the data set with "
            "the bytes of the images, as `push_to_hub` of Hugging Face does"
        )
    return Cell(content or b"", path)


def _columns(path: Path, schema: Any) -> tuple[str, str]:
    """Return the names of the columns of images and of masks."""
    found = [name for name in schema.names if _holds_files(schema, name)]
    declared = [name for name in found if name in _image_features(schema)]
    candidates = declared if len(declared) >= 2 else found
    images = [name for name in candidates if name.lower() in _IMAGE_NAMES]
    masks = [name for name in candidates if name.lower() in _MASK_NAMES]
    if len(candidates) == 2 and len(images) + len(masks) == 1:
        others = [name for name in candidates if name not in (*images, *masks)]
        images, masks = images or others, masks or others
    if len(images) == 1 and len(masks) == 1:
        return images[0], masks[0]
    listed = ", ".join(f"{name} ({str(schema.field(i).type)[:60]})" for i, name in _first(schema))
    raise InputError(
        f"{path}: expected one column of images, such as `image`, and one of masks, such as "
        f"`label`, both with the bytes of image files; its columns: {listed}; rename the two, and "
        "remove others that hold images"
    )


def _first(schema: Any) -> list[tuple[int, str]]:
    return list(enumerate(schema.names))[:20]


def _holds_files(schema: Any, name: str) -> bool:
    if schema.names.count(name) > 1:
        return False
    kind = schema.field(name).type
    if _is_binary(kind):
        return True
    is_struct = import_pyarrow().types.is_struct(kind)
    return is_struct and "bytes" in kind.names and _is_binary(kind.field("bytes").type)


def _is_binary(kind: Any) -> bool:
    types = import_pyarrow().types
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _image_features(schema: Any) -> frozenset[str]:
    """Return the columns that Hugging Face declares to be images."""
    try:
        document = json.loads((schema.metadata or {})[b"huggingface"])
        features = document["info"]["features"]
        return frozenset(
            name
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "Image"
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return frozenset()
