"""The images of each split of a YOLO data set, whose paths may be those of another machine."""

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.documents import read_text
from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.data.formats.yolo_config import SplitPaths
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.split_names import split_named, splits_by_folder
from sceneparse.errors import InputError

_IMAGES = "images"
# Folders of a path that are compared, from its end.
_MAX_DEPTH = 32


class YoloFiles(NamedTuple):
    """The files below a folder, by their path in it.

    Attributes:
        root: The folder.
        images: The image files.
        labels: The text files.
    """

    root: Path
    images: Mapping[str, Path]
    labels: Mapping[str, Path]


def find_files(root: Path) -> YoloFiles:
    """List the images and text files of a folder.

    Raises:
        InputError: If it holds no images.
    """
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for directory, prefix, name in visible_files(root):
        suffix = name[name.rfind(".") :].lower()
        if suffix in IMAGE_SUFFIXES or suffix == ".txt":
            found = labels if suffix == ".txt" else images
            found[unicodedata.normalize("NFC", prefix + name)] = Path(directory, name)
    if not images:
        raise InputError(f"{root}: holds no images; put them into `images` beside `labels`")
    return YoloFiles(root, images, labels)


def find_splits(files: YoloFiles, said: SplitPaths) -> tuple[dict[str, list[str]], list[str]]:
    """Find the images of each split.

    Args:
        files: The files of the data set.
        said: What the splits are said to be.

    Returns:
        The paths of the images by split, whose name is empty if there are no splits; and notes.

    Raises:
        InputError: If a list names an image that does not exist.
    """
    below = _by_folder(files.images)
    splits: dict[str, list[str]] = {}
    notes: list[str] = []
    for split, paths in said.paths.items():
        found = dict.fromkeys(
            name for path in paths for name in _images_at(path, said.base, files, below)
        )
        if not found:
            found = [name for name in _candidates(files) if _split_of(name) == split]
        if found:
            splits[split] = list(found)
        elif paths:
            notes.append(
                f"{said.source}: names {paths[0][-100:]} for {split}, which is not there; the "
                "split is left out"
            )
    if not splits:
        return _by_names_of_folders(files), notes
    return splits, [*notes, *_shared(splits, said.source)]


def _by_names_of_folders(files: YoloFiles) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = defaultdict(list)
    paths = {files.root / name: name for name in _candidates(files)}
    for path, split in splits_by_folder(paths, files.root).items():
        splits[split].append(paths[path])
    return dict(splits)


def _candidates(files: YoloFiles) -> list[str]:
    """Return the images in folders called so, or all if there are none."""
    return [name for name in files.images if f"/{_IMAGES}/" in f"/{name}"] or list(files.images)


def _split_of(name: str) -> str:
    return next(filter(None, map(split_named, name.split("/")[:-1])), "")


def _by_folder(images: Iterable[str]) -> dict[str, list[str]]:
    """Return the images below each folder, whose name is empty for all."""
    below: dict[str, list[str]] = defaultdict(list)
    for name in images:
        folder = name
        while folder:
            folder = posixpath.dirname(folder)
            below[folder].append(name)
    return below


def _images_at(
    written: str, base: str, files: YoloFiles, below: Mapping[str, list[str]]
) -> Iterator[str]:
    """Yield the images that a path stands for; none if it is not in the data set."""
    parts = _parts(written)
    both = [*_parts(base), *parts]
    for start in range(len(both) + 1):
        tail = both[start:]
        # The end of the path of one split must not stand for the images of all.
        if len(tail) < len(parts) and set(tail) <= {_IMAGES}:
            return
        path = "/".join(tail)
        if path in files.labels:
            yield from _listed(files.labels[path], files)
            return
        if path in below:
            yield from below[path]
            return


def _parts(written: str) -> list[str]:
    text = unicodedata.normalize("NFC", written.replace("\\", "/"))
    parts = posixpath.normpath(text).split("/") if text else []
    return [part for part in parts if part not in ("", ".", "..")][-_MAX_DEPTH:]


def _listed(path: Path, files: YoloFiles) -> Iterator[str]:
    """Yield the images that a list names, one per line."""
    finder = ImageFinder(files.root)
    for line in read_text(path).splitlines():
        if line.strip():
            found = finder.find(line.strip(), path.parent, path)
            name = unicodedata.normalize("NFC", found.relative_to(files.root).as_posix())
            if name not in files.images:
                raise InputError(
                    f"{path}: names {line.strip()[-200:]}, which is no image; remove the line"
                )
            yield name


def _shared(splits: Mapping[str, Sequence[str]], source: str) -> Iterator[str]:
    """Yield a note for each two splits that have images in common."""
    names = list(splits)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            common = set(splits[first]) & set(splits[second])
            if common:
                yield (
                    f"{len(common)} images are in {first} and in {second}, as {source} says; "
                    "scores on them do not show what a model does with new images"
                )
