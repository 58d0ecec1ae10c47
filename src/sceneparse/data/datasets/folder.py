"""Own images: a folder with `images`, `masks` and `labels.yaml`.

```
ROOT/labels.yaml            classes: [background, cat, dog]     # the id of each is its index
                            ignored_ids: [255]
ROOT/images/*.jpg           or images/training and images/validation, or training/images ...
ROOT/masks/*.png            the same names; ids or the colours of the classes
```

`classes` may also be a mapping from id to name, or a list of `{id, name, color}`. Images and masks
may lie in subfolders. The folders of splits may also be called `train`, `val`, `valid` or `test`.
Without folders `training` and `validation`, a share of the images is held out for validation. The
split of an image depends on its name alone, or on its group, so that adding images does not move
others between splits.

With a `labels.yaml`, the folders of ADE20K (`annotations`) and of Pascal VOC (`JPEGImages`,
`SegmentationClass`, `ImageSets/Segmentation`) are read with your own classes.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt
from pydantic import AfterValidator

from sceneparse.data.dataset import UNSPLIT, PairedFiles
from sceneparse.data.datasets.file_data import SPLITS, FileData
from sceneparse.data.datasets.folder_layout import (
    SplitFolders,
    find_split,
    images_folder,
    masks_folder,
    names_of_splits,
)
from sceneparse.data.io.mask_encodings import IdsOrColors
from sceneparse.data.pairing import pair_folders
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import labels_from_text
from sceneparse.system.settings import UserPath, settings


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if groups != 1:
        raise ValueError(f"expected one group in parentheses, found {groups}")
    return text


@settings
class FolderData(FileData):
    """Your own images: `images`, `masks` and `labels.yaml`."""

    root: UserPath
    """Folder that holds them."""
    validation_share: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of images held out where the folder has no `training` and `validation` of its own."""
    group_by: Annotated[str, AfterValidator(_pattern)] | None = None
    """Regular expression whose group in parentheses names the site, patient or video of an image,
    such as `^(\\w+?)_`; images of one group are held out together. None: each by itself."""

    def splits(self) -> tuple[str, ...]:
        """Return the splits that have folders or lists."""
        return tuple(split for split in SPLITS if find_split(self.root, split))

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
        return folder(root, split, self.validation_share, self.group_by)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return folder_labels(self.root)


def folder(
    root: Path, split: str, validation_share: float = 0.2, group_by: str | None = None
) -> PairedFiles:
    """Open one split of a folder.

    Args:
        root: The folder.
        split: `training`, `validation`, or another folder of images.
        validation_share: Share in 0..1 of images held out if the folder has no splits; each split
            has at least one image.
        group_by: Regular expression whose one group is the group of an image, for held out images;
            none if each image is a group.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    labels = folder_labels(root)
    found = find_split(root, split)
    if found:
        return _pair(found, labels, split)
    others = names_of_splits(root)
    if split not in SPLITS or others:
        raise InputError(
            f"{images_folder(root) / split}: no such folder; the splits in {root}: "
            f"{', '.join(others) or 'none'}; add it, or put all images into {images_folder(root)} "
            "itself, of which a share is held out for validation"
        )
    return _held_out(unsplit_folder(root), root, split, validation_share, group_by)


def unsplit_folder(root: Path) -> PairedFiles:
    """Open all images of a folder without splits.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    folders = SplitFolders(images_folder(root), masks_folder(root))
    return _pair(folders, folder_labels(root), UNSPLIT)


def is_folder_dataset(root: Path) -> bool:
    """Return whether a folder has the layout of own images, and not that of ADE20K."""
    if (root / "labels.yaml").is_file():
        return True
    return (root / "images").is_dir() and not (root / "annotations").is_dir()


def folder_labels(root: Path) -> Labels:
    """Read the labels of a folder.

    Raises:
        InputError: If `labels.yaml` does not exist or does not name the classes.
    """
    path = root / "labels.yaml"
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root")
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; write the class names there, such as "
            "`classes: [background, cat, dog]`"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML in UTF-8 ({error})") from None
    return labels_from_text(text, str(path))


def _pair(folders: SplitFolders, labels: Labels, cache_name: str) -> PairedFiles:
    encoding = IdsOrColors.of(labels)
    pairs = pair_folders(folders.images, folders.masks, labels, cache_name, encoding)
    if folders.names is None:
        return pairs
    index_of = {name: index for index, name in enumerate(pairs.names)}
    missing = [name for name in folders.names if name not in index_of]
    if missing:
        raise InputError(
            f"{folders.images}: has no image {missing[0]}, which the list of the {cache_name} "
            "split names; add it, or remove its line"
        )
    return pairs.select([index_of[name] for name in folders.names])


def _held_out(
    pairs: PairedFiles, root: Path, split: str, validation_share: float, group_by: str | None
) -> PairedFiles:
    """Choose the images of a split by the names of their groups."""
    groups = [_group(name, group_by) for name in pairs.names]
    order = sorted(set(groups), key=_position_of_name)
    count = sum(_position_of_name(group) < validation_share for group in order)
    held_out = set(order[: max(1, min(count, len(order) - 1))])
    chosen = [
        index
        for index, group in enumerate(groups)
        if (group in held_out) == (split == "validation")
    ]
    if not chosen:
        what = "one group" if group_by else "one image"
        raise InputError(
            f"{root / 'images'}: {what} is too few for training and validation; add images"
        )
    return pairs.select(chosen)


def _group(name: str, group_by: str | None) -> str:
    """Return the group of an image.

    Raises:
        InputError: If the pattern does not match its name.
    """
    if group_by is None:
        return name
    found = re.search(group_by, name)
    if not found or found[1] is None:
        raise InputError(
            f"data.group_by: `{group_by}` does not match the image {name}; change the pattern so "
            "that it finds the group of every image"
        )
    return found[1]


def _position_of_name(name: str) -> float:
    """Hash a name to a uniformly distributed number in 0..1."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:6], "big") / 2**48
