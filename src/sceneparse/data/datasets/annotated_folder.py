"""From a folder in an annotation format to the samples of a split."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sceneparse.data.dataset import UNSPLIT, PairedFiles
from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.annotation_format import (
    AnnotatedData,
    AnnotatedImage,
    Format,
    ReadOptions,
)
from sceneparse.errors import InputError
from sceneparse.labels import Labels

# Increase the number whenever reading a format gives other ids than before.
_VERSION = 1
# Files whose change changes annotations.
_ANNOTATION_SUFFIXES = (".json", ".xml", ".txt", ".csv", ".yaml", ".yml", ".parquet")


@dataclass(frozen=True)
class AnnotatedFolder:
    """A folder in an annotation format.

    Attributes:
        data: Its classes and annotated images.
        kind: What determines ids besides the content of the files.
    """

    data: AnnotatedData
    kind: str

    @property
    def labels(self) -> Labels:
        """The classes."""
        return self.data.labels

    @property
    def splits(self) -> list[str]:
        """The splits that the format names."""
        return sorted({each.split for each in self.data.images} - {""})

    def files(self, split: str) -> PairedFiles:
        """Return the samples of one split; those without a split if the name is empty."""
        images = sorted(
            (each for each in self.data.images if each.split == split), key=lambda each: each.name
        )
        return PairedFiles(
            images=tuple(each.image for each in images),
            annotations=tuple(each.annotation for each in images),
            names=tuple(each.name for each in images),
            labels=self.labels,
            cache_name=split or UNSPLIT,
            annotation_kind=self.kind,
            notes=tuple(self.data.notes),
        )


def read_annotated(root: Path, found: Format, options: ReadOptions) -> AnnotatedFolder:
    """Read a folder in an annotation format; what has not changed since is not read again.

    Raises:
        InputError: If a file is broken, an image is missing, or two images have one name.
    """
    data = _read(root, found, options, _stamp(root))
    # Names and colours of classes may lie in another file than the annotation of an image.
    classes = hashlib.sha256(data.labels.to_json().encode()).hexdigest()
    return AnnotatedFolder(
        data, f"{found.name} {_VERSION} uncovered={options.uncovered} classes={classes}"
    )


@lru_cache(maxsize=2)
def _read(root: Path, found: Format, options: ReadOptions, _stamp: int) -> AnnotatedData:
    data = found.read(root, options)
    if not data.images:
        raise InputError(f"{root}: {found.title} without images; add annotated images")
    data = data._replace(images=_shortened(data.images))
    _check_names(root, data.images)
    return data


def _shortened(images: Sequence[AnnotatedImage]) -> list[AnnotatedImage]:
    """Leave the folder that all images of a split share out of their names."""
    folders: dict[str, str] = {}
    for split in {each.split for each in images} - {""}:
        parents = [each.name.rpartition("/")[0] for each in images if each.split == split]
        folders[split] = os.path.commonpath(parents) if all(parents) else ""
    return [
        each._replace(name=each.name.removeprefix(f"{folders[each.split]}/"))
        if folders.get(each.split)
        else each
        for each in images
    ]


def _check_names(root: Path, images: Sequence[AnnotatedImage]) -> None:
    counts = Counter((each.split, each.name) for each in images)
    twice = [name for (_, name), count in counts.items() if count > 1]
    if twice:
        raise InputError(
            f"{root}: {len(twice)} images are annotated twice, or have the name of another one "
            f"with another suffix, such as {twice[0]}; keep one annotation for each, and rename "
            "images"
        )


def _stamp(root: Path) -> int:
    """Return a number that changes when an annotation file changes, or any file comes or goes."""
    stamps: list[tuple[str, str, int, int]] = []
    for directory, _, name in visible_files(root):
        size = modified = 0
        if name.lower().endswith(_ANNOTATION_SUFFIXES):
            # A link may lead nowhere; the reader says so if it needs the file.
            with suppress(OSError):
                found = Path(directory, name).stat()
                size, modified = found.st_size, found.st_mtime_ns
        stamps.append((directory, name, size, modified))
    return hash(tuple(stamps))
