"""Where the images and masks of each split lie in a folder of own images."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sceneparse.data.datasets.listing import read_split_list
from sceneparse.data.file_listing import visible_files
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.split_names import SPLIT_NAMES
from sceneparse.errors import InputError

# The names that the folders of images and of masks may have.
_IMAGE_FOLDERS = ("images", "JPEGImages", "image", "imgs", "img")
_MASK_FOLDERS = ("masks", "annotations", "SegmentationClass", "labels", "mask", "label")
_LISTS = Path("ImageSets", "Segmentation")


class SplitFolders(NamedTuple):
    """Where the images and masks of a split lie.

    Attributes:
        images: Folder of the images.
        masks: Folder of the masks.
        names: Names of the images of the split; none for all in the folder.
    """

    images: Path
    masks: Path
    names: tuple[str, ...] | None = None


def find_split(root: Path, split: str) -> SplitFolders | None:
    """Find the folders of a split, above or below those of images and masks, or its list.

    Args:
        root: The folder of the data set.
        split: `training`, `validation`, `test`, or any other name.

    Raises:
        InputError: If two folders may be that of the split.
    """
    names = SPLIT_NAMES.get(split, (split.lower(),))
    found = [*_below(root, names), *_listed(root, names), *_above(root, names)]
    if len(found) > 1:
        raise InputError(
            f"{root}: {_place(found[0])} and {_place(found[1])} may both be the {split} images; "
            "rename or remove one of them"
        )
    return found[0] if found else None


def names_of_splits(root: Path) -> list[str]:
    """List the splits of a folder."""
    return [split for split in SPLIT_NAMES if find_split(root, split)]


def images_folder(root: Path) -> Path:
    """Return the folder of the images, or where it is expected."""
    return _folder(root, _IMAGE_FOLDERS) or root / _IMAGE_FOLDERS[0]


def masks_folder(root: Path) -> Path:
    """Return the folder of the masks, or where it is expected."""
    return _folder(root, _MASK_FOLDERS) or root / _MASK_FOLDERS[0]


def images_outside_splits(root: Path) -> list[Path]:
    """List the images beside the folders of splits, which are in no split."""
    images = images_folder(root)
    splits = [find_split(root, split) for split in names_of_splits(root)]
    if any(found is None or found.names is not None for found in splits) or not images.is_dir():
        return []  # Lists may leave images out on purpose.
    inside = {found.images for found in splits if found}
    folders = [path for path in map(images.joinpath, _subfolders(images)) if path not in inside]
    files = [path for path in sorted(images.iterdir()) if path.is_file()]
    files += [
        Path(directory, name) for folder in folders for directory, _, name in visible_files(folder)
    ]
    return [
        path
        for path in files
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]


def _below(root: Path, names: Sequence[str]) -> Iterator[SplitFolders]:
    """Yield folders of a split below those of images and masks."""
    images, masks = images_folder(root), masks_folder(root)
    of_images = {name.lower(): images / name for name in _subfolders(images)}
    of_masks = {name.lower(): masks / name for name in _subfolders(masks)}
    for name in names:
        if name in of_images or name in of_masks:
            yield SplitFolders(of_images.get(name, images / name), of_masks.get(name, masks / name))


def _above(root: Path, names: Sequence[str]) -> Iterator[SplitFolders]:
    """Yield folders of a split that hold those of images and masks."""
    for name in _subfolders(root):
        images, masks = (
            _folder(root / name, folders) for folders in (_IMAGE_FOLDERS, _MASK_FOLDERS)
        )
        if name.lower() in names and images and masks:
            yield SplitFolders(images, masks)


def _listed(root: Path, names: Sequence[str]) -> Iterator[SplitFolders]:
    """Yield lists of the images of a split, as Pascal VOC has them."""
    for name in names:
        path = root / _LISTS / f"{name}.txt"
        if path.is_file():
            listed = read_split_list(path, "list the names of the images, one per line")
            yield SplitFolders(images_folder(root), masks_folder(root), listed)


def _place(found: SplitFolders) -> str:
    return str(found.images) if found.names is None else f"a list of {len(found.names)} images"


def _folder(root: Path, names: Sequence[str]) -> Path | None:
    """Return the first folder of these names, in any case."""
    present = {name.lower(): root / name for name in _subfolders(root)}
    return next((present[name.lower()] for name in names if name.lower() in present), None)


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []
