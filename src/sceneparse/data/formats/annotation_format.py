"""What every annotation format offers: it recognises a folder, reads it, and writes one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from sceneparse.data.annotation import Annotation
from sceneparse.data.io.decode import DEFAULT_READING, ImageReading
from sceneparse.labels import Labels, Mask

Uncovered = Literal["background", "ignore"]


class AnnotatedImage(NamedTuple):
    """An image file and its annotation.

    Attributes:
        name: Path of the image below its folder, without suffix; unique in its split.
        image: The image file.
        annotation: What gives its pixels their ids.
        split: `training`, `validation`, another split, or empty if the format has none.
    """

    name: str
    image: Path
    annotation: Annotation
    split: str = ""


class AnnotatedData(NamedTuple):
    """A folder in an annotation format, as it was read.

    Attributes:
        labels: Its classes.
        images: Its annotated images.
        notes: What a user should know about how it was read.
    """

    labels: Labels
    images: Sequence[AnnotatedImage]
    notes: Sequence[str] = ()


class ReadOptions(NamedTuple):
    """What a reader of a format is told.

    Attributes:
        uncovered: What pixels in no shape are; none if nobody has said it.
        reading: How image files are read.
    """

    uncovered: Uncovered | None = None
    reading: ImageReading = DEFAULT_READING


class LabelledImage(NamedTuple):
    """An image to be written in a format.

    Attributes:
        name: Name of the image in its split; may contain `/`.
        split: Its split; empty if the data have none.
        image: The image file, which is copied as it is.
        mask: Train ids `(H, W)`.
    """

    name: str
    split: str
    image: Path
    mask: Mask


@dataclass(frozen=True)
class Format:
    """An annotation format.

    Attributes:
        name: Its name in commands and configs, such as `coco`.
        title: Its name in messages, such as `COCO JSON`.
        sign: The files by which it is recognised, for messages.
        recognise: Tells whether a folder is in this format.
        read: Reads a folder.
        write: Writes images, split after split, and their classes to an empty folder.
    """

    name: str
    title: str
    sign: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], AnnotatedData]
    write: Callable[[Path, Iterable[LabelledImage], Labels], None]
