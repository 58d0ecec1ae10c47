"""Own images: a folder with `images`, `masks` and `labels.yaml`, or in an annotation format.

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

A folder without masks of its own may be in any format of `data/formats`, which is recognised.
"""

import hashlib
import os
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt
from pydantic import AfterValidator

from sceneparse.data.dataset import UNSPLIT, PairedFiles
from sceneparse.data.datasets.annotated_folder import AnnotatedFolder, read_annotated
from sceneparse.data.datasets.file_data import SPLITS, FileData
from sceneparse.data.datasets.folder_layout import (
    SplitFolders,
    find_split,
    images_folder,
    images_outside_splits,
    masks_folder,
    names_of_splits,
)
from sceneparse.data.file_listing import holds_masks
from sceneparse.data.formats.annotation_format import Format, ReadOptions, Uncovered
from sceneparse.data.formats.registry import FORMATS, find_format, is_mask_of_format
from sceneparse.data.io.mask_encodings import IdsOrColors
from sceneparse.data.pairing import pair_folders
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import labels_from_text
from sceneparse.system.files import read_short_text
from sceneparse.system.settings import UserPath, settings

# Value of `data.format` for masks in files and a labels.yaml.
MASKS = "masks"


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if groups != 1:
        raise ValueError(f"expected one group in parentheses, found {groups}")
    return text


def _format_name(name: str) -> str:
    if name not in ("auto", MASKS, *FORMATS):
        raise ValueError(f"expected auto, {MASKS}, {', '.join(FORMATS)}")
    return name


@settings
class FolderData(FileData):
    """Your own images, with masks and `labels.yaml`, or in an annotation format."""

    root: UserPath
    """Folder that holds them."""
    format: Annotated[str, AfterValidator(_format_name)] = "auto"
    """How they are annotated: `masks` for `images`, `masks` and `labels.yaml`; or the name of a
    format of docs/own_data.md, such as `coco`; `auto`: whichever the folder holds."""
    uncovered: Uncovered | None = None
    """What pixels in no shape are, where the format does not say it: `background`, a class of its
    own, or `ignore`, not labelled."""
    validation_share: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of images held out where the folder has no `training` and `validation` of its own."""
    group_by: Annotated[str, AfterValidator(_pattern)] | None = None
    """Regular expression whose group in parentheses names the site, patient or video of an image,
    such as `^(\\w+?)_`; images of one group are held out together. None: each by itself."""

    def splits(self) -> tuple[str, ...]:
        """Return the splits with files of their own; validation may be a share of training."""
        own = self._own_splits(self.root)
        return SPLITS if "training" in own else tuple(split for split in SPLITS if split in own)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split.

        Without a split `validation`, a share of the training images is held out for it.
        """
        own = self._own_splits(root)
        if split not in SPLITS or "validation" in own or (own and "training" not in own):
            _check_present(root, split, own)
            return self._own_files(root, split)
        files = self._own_files(root, "training" if own else "")
        held_out = _held_out(files, root, split, self.validation_share, self.group_by)
        if not own:
            return held_out
        note = (
            f"there is no validation split: {self.validation_share:.0%} of the training images are "
            "held out for it (data.validation_share)"
        )
        return replace(held_out, cache_name=split, notes=(*held_out.notes, note))

    def all_splits(self) -> dict[str, PairedFiles]:
        """Open all splits, by name; a folder without splits is one, whose name is empty."""
        names = self._own_splits(self.root) or [""]
        return {
            name: replace(self._own_files(self.root, name), reading=self.reading) for name in names
        }

    def unsplit(self) -> PairedFiles:
        """Open all samples of a folder without splits.

        Raises:
            InputError: If the layout differs, or images have no annotations.
        """
        return replace(self._own_files(self.root, ""), reading=self.reading)

    def find_labels(self) -> Labels:
        """Return the classes."""
        annotated = self._annotated(self.root)
        return annotated.labels if annotated else folder_labels(self.root)

    def found_format(self, root: Path) -> Format | None:
        """Return the annotation format of the folder; none if it has masks and `labels.yaml`."""
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; set data.root")
        if self.format == MASKS or (self.format == "auto" and has_own_masks(root)):
            return None
        return find_format(root, self.format)

    def _own_splits(self, root: Path) -> list[str]:
        """Return the splits that the folder or its annotations name."""
        annotated = self._annotated(root)
        return annotated.splits if annotated else names_of_splits(root)

    def _own_files(self, root: Path, split: str) -> PairedFiles:
        """Open the samples of a split that the folder names; an empty name is for all."""
        annotated = self._annotated(root)
        return annotated.files(split) if annotated else folder(root, split)

    def _annotated(self, root: Path) -> AnnotatedFolder | None:
        found = self.found_format(root)
        return found and read_annotated(root, found, ReadOptions(self.uncovered, self.reading))


def folder(root: Path, split: str = "") -> PairedFiles:
    """Open one split of a folder with masks.

    Args:
        root: The folder.
        split: A split that has folders or a list; empty for all images of a folder without splits.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    labels = folder_labels(root)
    if not split:
        folders = SplitFolders(images_folder(root), masks_folder(root))
        return _pair(folders, labels, UNSPLIT)
    found = find_split(root, split)
    if found is None:
        _check_present(root, split, names_of_splits(root))
        found = SplitFolders(images_folder(root) / split, masks_folder(root) / split)
    files = _pair(found, labels, split)
    outside = images_outside_splits(root)
    if not outside:
        return files
    note = (
        f"{len(outside)} images lie outside of the folders of splits and are left out, such as "
        f"{outside[0].relative_to(root)}"
    )
    return replace(files, notes=(*files.notes, note))


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
        text = read_short_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML in UTF-8 ({error})") from None
    return labels_from_text(text, str(path))


def has_own_masks(root: Path) -> bool:
    """Return whether a folder has a `labels.yaml`, and masks that are no files of a format."""
    if not (root / "labels.yaml").is_file():
        return False
    folders = [find_split(root, split) for split in names_of_splits(root)]
    masks = [found.masks for found in folders if found] or [masks_folder(root)]
    return any(holds_masks(each, besides=is_mask_of_format) for each in masks)


def _check_present(root: Path, split: str, present: Collection[str]) -> None:
    """Refuse a split that a folder does not have."""
    if split not in present:
        raise InputError(
            f"{root}: has no {split} images; its splits: {', '.join(present) or 'none'}; add them, "
            "or put all images together without splits, of which a share is held out for "
            "validation"
        )


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
        raise InputError(f"{root}: {what} is too few for training and validation; add images")
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
