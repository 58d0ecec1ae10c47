"""What the exports of Label Studio share: lists of tasks, and the images that tasks are about."""

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    PositiveInt,
    TypeAdapter,
    model_validator,
)

from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.documents import JsonObject, starts_with_keys
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.errors import InputError

# The names of the files of "Brush labels to PNG".
MASK_NAME = re.compile(
    r"task-([0-9]{1,18})-annotation-([0-9]{1,18})-by-(.+)-([0-9]+)\.png",
    re.IGNORECASE | re.DOTALL,
)
# What Label Studio puts before the name of an uploaded file.
UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-")
# Kinds of regions; results of other types, such as choices, may hold anything.
_KINDS = ("polygon", "brush", "rectangle", "ellipse", "bitmask", "keypoint", "vector")
_TYPES = frozenset({"labels", *_KINDS, *(f"{kind}labels" for kind in _KINDS)})
_Percent = Annotated[float, Field(ge=-1e5, le=1e5)]
_Radius = Annotated[float, Field(ge=0, le=1e5)]
# A folder of thousands of JSON files has one per image.
_MAX_FILES = 64


def _bytes(content: Any) -> Any:
    """Store a list of bytes in an eighth of its memory."""
    if content is None:
        return None
    try:
        return bytes(content if isinstance(content, list) else [content])
    except (TypeError, ValueError):
        raise ValueError("expected a list of numbers in 0..255") from None


class Value(JsonObject):
    """The shape of a region, in percent of the image, and its labels."""

    points: tuple[tuple[_Percent, _Percent], ...] | None = None
    x: _Percent | None = None
    y: _Percent | None = None
    width: _Percent | None = None
    height: _Percent | None = None
    radius_x: _Radius | None = Field(default=None, validation_alias="radiusX")
    radius_y: _Radius | None = Field(default=None, validation_alias="radiusY")
    rotation: _Percent | None = None
    rle: Annotated[bytes | None, BeforeValidator(_bytes)] = None
    image_url: str | None = Field(default=None, validation_alias="imageDataURL")
    closed: bool | None = None
    labels: tuple[str, ...] | None = Field(
        default=None, validation_alias=AliasChoices(*(f"{kind}labels" for kind in _KINDS), "labels")
    )


class Result(JsonObject):
    """A region; results of other types have an empty type."""

    id: str | int | None = None
    type: str = ""
    original_width: PositiveInt | None = None
    original_height: PositiveInt | None = None
    image_rotation: float | None = None
    item_index: int | None = None
    value: Value = Value()

    @model_validator(mode="before")
    @classmethod
    def _leave_others_unread(cls, content: Any) -> Any:
        if isinstance(content, dict) and str(content.get("type")).lower() not in _TYPES:
            return {}
        return content

    @property
    def kind(self) -> str:
        """Its type, without `labels` at the end; empty if it is only labels."""
        return self.type.lower().removesuffix("labels")


class TaskAnnotation(JsonObject):
    """What one person has drawn in one task."""

    was_cancelled: bool | None = None
    ground_truth: bool | None = None
    result: tuple[Result, ...] | None = None


class Task(JsonObject):
    """An image to annotate, and its annotations."""

    id: int | str = "without id"
    data: dict[str, Any]
    annotations: tuple[TaskAnnotation, ...] | None = Field(
        default=None, validation_alias=AliasChoices("annotations", "completions")
    )


TASKS = TypeAdapter(list[Task])


def exports(root: Path) -> list[Path]:
    """Return the files of tasks with annotations in a folder, and in the folders in it."""
    return [
        path
        for path in _json_files(root)
        if _lists(path, "data", "annotations") or _lists(path, "data", "completions")
    ]


def short_exports(root: Path) -> list[Path]:
    """Return the files in the format JSON-MIN, which have no list of annotations."""
    return [path for path in _json_files(root) if _lists(path, "annotation_id", "lead_time")]


def task_lists(root: Path) -> list[Path]:
    """Return all files that say which image a task is about."""
    lists = [path for path in _json_files(root) if _lists(path, "id", "data")]
    return sorted({*lists, *short_exports(root)})


def mask_files(root: Path) -> list[Path]:
    """Return the mask files below a folder."""
    return [
        Path(directory, name)
        for directory, _, name in visible_files(root)
        if MASK_NAME.fullmatch(name)
    ]


def find_image(data: Mapping[str, Any], finder: ImageFinder, source: Path) -> Path:
    """Return the image file of a task.

    Label Studio puts eight hexadecimal digits before the name of an upload; an image without
    them is taken if there is none with them.

    Args:
        data: The data of the task.
        finder: The images of the data set.
        source: The file that holds the task, for messages.

    Raises:
        InputError: If the task names no image, there is no such image, or there are several.
    """
    written = _image_of(data, source)
    paths = [_path_of(written), written]
    folders_and_names = [(path.rpartition("/")[0], path.rpartition("/")[2]) for path in paths]
    paths += [
        f"{folder}/{UPLOAD_PREFIX.sub('', name, count=1)}".lstrip("/")
        for folder, name in folders_and_names
        if UPLOAD_PREFIX.match(name)
    ]
    found = next((path for path in paths if finder.candidates(path, finder.root)), paths[0])
    return finder.find(found, finder.root, source)


def names_of_images(images: Iterable[Path], finder: ImageFinder) -> dict[Path, str]:
    """Return the name of each image: its path below `images`, if all lie there, else below root."""
    images = list(images)
    folder = finder.root / "images"
    below = folder if all(image.is_relative_to(folder) for image in images) else None
    return {image: finder.name(image, below) for image in images}


def local_path(image: Path, root: Path) -> str:
    """Return how a task names an image in the local storage of Label Studio."""
    return f"/data/local-files/?d={quote(image.relative_to(root).as_posix())}"


def _json_files(root: Path) -> list[Path]:
    found = sorted([*root.glob("*.json"), *root.glob("*/*.json")])
    return found if len(found) <= _MAX_FILES else []


def _lists(path: Path, *keys: str) -> bool:
    """Tell whether a file holds a list of objects with all of these keys, however large it is."""
    return all(starts_with_keys(path, (key,), in_list=True) for key in keys)


def _image_of(data: Mapping[str, Any], source: Path) -> str:
    """Return how a task names its image."""
    if isinstance(data.get("image"), str):
        return data["image"]
    found = [
        value
        for value in data.values()
        if isinstance(value, str)
        and PurePosixPath(_path_of(value)).suffix.lower() in IMAGE_SUFFIXES
    ]
    if len(found) != 1:
        raise InputError(
            f"{source}: a task that names {len(found)} images in its data "
            f"({', '.join(map(str, data))[:200] or 'which is empty'}), expected one; divide tasks "
            "of several images, and call the image `image`"
        )
    return found[0]


def _path_of(written: str) -> str:
    """Return the path in a URL, or in the part of it that names a file."""
    try:
        parts = urlsplit(written)
        query = parse_qs(parts.query)
    except ValueError:
        return written
    if "d" in query:
        # Files that the server of Label Studio has on its disk.
        return query["d"][0]
    if "fileuri" in query:
        try:
            return _path_of(base64.urlsafe_b64decode(query["fileuri"][0]).decode())
        except ValueError:
            return written
    return unquote(parts.path)
