"""ADE20K, the full data set: `ADE20K_2021_17_01`.

25,574 training and 2,000 validation images of any size, with 3,688 categories of objects (Zhou et
al., "Semantic Understanding of Scenes through the ADE20K Dataset", IJCV 2019; arXiv 1608.05442).
Given out on request, for non-commercial research and education only.

```
ROOT/images/ADE/{training,validation}/SCENE/.../ADE_NAME.jpg        ROOT is ADE20K_2021_17_01
                                               /ADE_NAME_seg.png    objects, in colours
                                               /ADE_NAME.json       their names
```

A pixel of `_seg.png` stands for the object whose id is `R // 10 * 256 + G`; 0 is unlabelled. Blue
tells instances apart, `_parts_*.png` and the folders `ADE_NAME/` hold parts and single instances:
none of them is read. Ids have up to 12 bits: predictions are written as 16-bit masks of these ids.

`index_ade20k.pkl`, the table of all names, is not needed and never opened: a pickle runs whatever
code it holds. The JSON beside each image has both name and id (`name_ndx`) of its objects. Those
of the training split are read once and remembered (`ade20k_objects.py`).

Classes are the objects that occur in at least `min_images` training images, in the order of their
ids: what occurs in a handful of images can hardly be learned. Everything else is ignored, in both
splits. To use other classes, such as the 847 of MaskFormer, or those of a trained run where its
training images are not at hand, give a file of labels: its ids are those of the data set.
"""

from dataclasses import replace
from pathlib import Path

from sceneparse.data.dataset import Listing, PairedFiles, pair
from sceneparse.data.datasets.ade20k_objects import SPLITS_BELOW, objects_of
from sceneparse.data.datasets.listing import files_below
from sceneparse.data.datasets.published import PublishedData
from sceneparse.data.io.mask_codes import RedAndGreen
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.files import distinct_colors, read_labels
from sceneparse.system.settings import PositiveInt, UserPath, settings

MIN_IMAGES = 20
# Ids have 12 bits; the largest of the data set is 3,688.
_IDS = 4096
_UNPACK = "unpack ADE20K_2021_17_01.zip, and set data.root to the folder ADE20K_2021_17_01"


@settings
class Ade20kFullData(PublishedData):
    """The full ADE20K, `ADE20K_2021_17_01`: classes in the thousands."""

    root: UserPath = Path("data/ADE20K_2021_17_01")
    """Folder that holds `images/ADE`."""
    min_images: PositiveInt = 20
    """Training images in which an object must occur to be a class; others are ignored."""
    labels: UserPath | None = None
    """A labels.json or labels.yaml whose classes are used instead, in the ids of the data set."""

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        return _split_folder(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole."""
        return ade20k_full(root, split, self.min_images, self._given())

    def find_labels(self) -> Labels:
        """Return the classes."""
        return ade20k_full_labels(self.root, self.min_images, self._given())

    def _given(self) -> Labels | None:
        return read_labels(str(self.labels)) if self.labels else None


def ade20k_full(
    root: Path, split: str, min_images: int = MIN_IMAGES, labels: Labels | None = None
) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds `images/ADE`.
        split: `training` or `validation`.
        min_images: Training images that an object must occur in to be a class.
        labels: Classes to use instead, in the ids of the data set; all others are ignored.

    Raises:
        InputError: If the layout is another, or images and masks do not pair.
    """
    if not (root / SPLITS_BELOW).is_dir():
        raise InputError(f"{root / SPLITS_BELOW}: no such folder; {_UNPACK}")
    folder = _split_folder(root, split)
    classes = ade20k_full_labels(root, min_images, labels)
    return pair(
        Listing(folder, files_below(folder, ".jpg", _UNPACK)),
        Listing(folder, files_below(folder, "_seg.png", _UNPACK)),
        classes,
        f"{split}-{classes.num_classes}",
        RedAndGreen(),
    )


def _split_folder(root: Path, split: str) -> Path:
    return root / SPLITS_BELOW / split


def ade20k_full_labels(
    root: Path, min_images: int = MIN_IMAGES, labels: Labels | None = None
) -> Labels:
    """Return the objects that occur in so many training images, or the labels that are given.

    Raises:
        InputError: If there are none, or a JSON file is broken.
    """
    if labels:
        return _others_ignored(labels)
    objects = objects_of(root)
    frequent = [entry for entry in objects if entry.images >= min_images]
    if not frequent:
        most = max((entry.images for entry in objects), default=0)
        raise InputError(
            f"{root}: no object occurs in {min_images} training images, the most frequent one in "
            f"{most}; set a lower data.min_images"
        )
    return _others_ignored(
        Labels(
            class_names=tuple(entry.name for entry in frequent),
            colors=distinct_colors(len(frequent)),
            raw_ids=tuple(entry.id for entry in frequent),
        )
    )


def _others_ignored(labels: Labels) -> Labels:
    others = sorted(set(range(_IDS)) - set(labels.raw_ids))
    return replace(labels, ignored_ids=tuple(others))
