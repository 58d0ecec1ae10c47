"""ADE20K, the full data set: `ADE20K_2021_17_01`.

25,574 training and 2,000 validation images of any size, with 3,688 object categories (Zhou et al.,
"Semantic Understanding of Scenes through the ADE20K Dataset", IJCV 2019; arXiv 1608.05442). It is
available on request, for non-commercial research and education only.

```
ROOT/images/ADE/{training,validation}/SCENE/.../ADE_NAME.jpg        ROOT is ADE20K_2021_17_01
                                               /ADE_NAME_seg.png    objects, in colours
                                               /ADE_NAME.json       their names
```

A pixel of `_seg.png` encodes the id of an object category as `R // 10 * 256 + G`; 0 is unlabelled.
The blue channel, which encodes instances, `_parts_*.png` and the folders `ADE_NAME/` are not read.
Ids have up to 12 bits, so predictions are written as 16-bit masks.

The table of all names, `index_ade20k.pkl`, is never opened, since a pickle can run arbitrary code.
The JSON file of each image holds name and id (`name_ndx`) of its objects. The files of the training
split are read once, and the result is cached (`ade20k_objects.py`).

The classes are the object categories that occur in at least `min_images` training images, in the
order of their ids; all others are ignored in both splits, since a handful of images is too few to
learn a class. To use other classes, such as the 847 of MaskFormer, or the classes of a trained
model without its training images, give a labels file with the ids of the data set.
"""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.ade20k_objects import SPLITS_BELOW, count_objects
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.listing import find_files_below
from sceneparse.data.file_listing import FilesByName
from sceneparse.data.io.mask_encodings import RedAndGreen
from sceneparse.data.pairing import pair_by_name
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import distinct_colors, read_labels
from sceneparse.system.settings import PositiveInt, UserPath, settings

MIN_IMAGES = 20
# Ids have 12 bits; the largest in the data set is 3,688.
_NUM_IDS = 4096
_UNPACK = "unpack ADE20K_2021_17_01.zip, and set data.root to the folder ADE20K_2021_17_01"


@settings
class Ade20kFullData(PublishedData):
    """The full ADE20K, `ADE20K_2021_17_01`: classes in the thousands."""

    title: ClassVar[str] = "the full ADE20K"
    image_names: ClassVar[str] = r"^ADE_"

    root: UserPath = Path("data/ADE20K_2021_17_01")
    """Folder that holds `images/ADE`."""
    min_images: PositiveInt = 20
    """Training images in which an object must occur to be a class; others are ignored."""
    labels: UserPath | None = None
    """A labels.json or labels.yaml whose classes are used instead, in the ids of the data set."""

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        return _split_folder(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
        return ade20k_full(root, split, self.min_images, self._custom_labels())

    def find_labels(self) -> Labels:
        """Return the classes."""
        return ade20k_full_labels(self.root, self.min_images, self._custom_labels())

    def _custom_labels(self) -> Labels | None:
        return read_labels(str(self.labels)) if self.labels else None


def ade20k_full(
    root: Path, split: str, min_images: int = MIN_IMAGES, labels: Labels | None = None
) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds `images/ADE`.
        split: `training` or `validation`.
        min_images: Minimum number of training images in which a class occurs.
        labels: Classes to use instead, with the ids of the data set; all others are ignored.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    if not (root / SPLITS_BELOW).is_dir():
        raise InputError(f"{root / SPLITS_BELOW}: no such folder; {_UNPACK}")
    folder = _split_folder(root, split)
    classes = ade20k_full_labels(root, min_images, labels)
    return pair_by_name(
        FilesByName(folder, find_files_below(folder, ".jpg", _UNPACK)),
        FilesByName(folder, find_files_below(folder, "_seg.png", _UNPACK)),
        classes,
        f"{split}-{classes.num_classes}",
        RedAndGreen(),
    )


def _split_folder(root: Path, split: str) -> Path:
    return root / SPLITS_BELOW / split


def ade20k_full_labels(
    root: Path, min_images: int = MIN_IMAGES, labels: Labels | None = None
) -> Labels:
    """Return the categories in at least `min_images` training images, or the given labels.

    Raises:
        InputError: If there is no such category, or a JSON file is broken.
    """
    if labels:
        return _ignore_other_ids(labels)
    objects = count_objects(root)
    frequent = [entry for entry in objects if entry.images >= min_images]
    if not frequent:
        max_images = max((entry.images for entry in objects), default=0)
        raise InputError(
            f"{root}: no object occurs in {min_images} training images, the most frequent one in "
            f"{max_images}; set a lower data.min_images"
        )
    return _ignore_other_ids(
        Labels(
            class_names=tuple(entry.name for entry in frequent),
            colors=distinct_colors(len(frequent)),
            raw_ids=tuple(entry.id for entry in frequent),
        )
    )


def _ignore_other_ids(labels: Labels) -> Labels:
    others = sorted(set(range(_NUM_IDS)) - set(labels.raw_ids))
    return replace(labels, ignored_ids=tuple(others))
