"""Pascal VOC 2012 segmentation, and the additional masks of SBD.

1,464 training and 1,449 validation images of at most 500×500 pixels, with 20 classes of objects
and background (Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective",
IJCV 2015). The images are from flickr, whose terms of use they are under.

```
ROOT/JPEGImages/*.jpg                             ROOT is VOCdevkit/VOC2012
ROOT/SegmentationClass/*.png
ROOT/ImageSets/Segmentation/{train,val}.txt       names without endings
ROOT/SegmentationClassAug/*.png                   for data.augmented
ROOT/ImageSets/Segmentation/trainaug.txt          for data.augmented
```

Masks are palette PNG, the index of a colour is the id: 0 is background, a class like any other, and
255 is void, the border of objects and what is difficult, which is ignored.

SBD (Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011) annotates more of the
images: training on 10,582 of them, the usual `trainaug`, leaves out those of validation. Here a
image that VOC annotates too keeps the mask of VOC, which has the void border. SBD itself comes as
MATLAB files, `dataset/cls/*.mat`, for which scipy would be needed: convert them once to PNG, the
array `GTcls.Segmentation` of each, by any tool, or take `SegmentationClassAug` as others made it.
"""

from pathlib import Path
from typing import Self

from sceneparse.data.dataset import Listing, PairedFiles, pair
from sceneparse.data.datasets.listing import listed_names, named_files
from sceneparse.data.datasets.published import PublishedData
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_LISTS = {"training": "train", "validation": "val"}
_JPEG, _PNG = frozenset({".jpg"}), frozenset({".png"})
_UNPACK = "unpack VOCtrainval_11-May-2012.tar, and set data.root to VOCdevkit/VOC2012"
_CONVERT = (
    "data.augmented needs SegmentationClassAug/*.png and ImageSets/Segmentation/trainaug.txt; the "
    ".mat files of SBD are not read: convert `GTcls.Segmentation` of each to an 8-bit PNG first "
    "(scipy.io.loadmat and Pillow), or set data.augmented=false"
)


@settings
class Voc2012Data(PublishedData):
    """Pascal VOC 2012: 20 classes of objects, and background."""

    root: UserPath = Path("data/VOCdevkit/VOC2012")
    """Folder that holds `JPEGImages`, `SegmentationClass` and `ImageSets`."""
    augmented: bool = False
    """Train on the images of `trainaug.txt`, with masks of SBD in `SegmentationClassAug`."""

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Return the settings of the data set in a folder; SBD is used where its masks exist."""
        data = cls(root=root, augmented=has_augmented(root))
        return data if data.splits() else None

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        return _list(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole."""
        return voc2012(root, split, augmented=self.augmented)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return table_labels("voc2012")


def voc2012(root: Path, split: str, *, augmented: bool = False) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder `VOCdevkit/VOC2012`.
        split: `training`, `validation`, or the name of another list, such as `trainval`.
        augmented: Whether to train on the images that SBD annotates, too.

    Raises:
        InputError: If the layout is another, or files that the lists name are missing.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to VOCdevkit/VOC2012")
    masks, fix = [root / "SegmentationClass"], _UNPACK
    source = _list(root, split)
    if augmented and split == "training":
        source = source.with_name("trainaug.txt")
        masks, fix = [*masks, root / "SegmentationClassAug"], _CONVERT
    names = listed_names(source, fix)
    if augmented and split == "training":
        _check_held_out(names, source, _list(root, "validation"))
    images = root / "JPEGImages"
    return pair(
        Listing(images, named_files(names, source, [images], _JPEG, _UNPACK)),
        Listing(masks[0], named_files(names, source, masks, _PNG, fix)),
        table_labels("voc2012"),
        split,
    )


def has_augmented(root: Path) -> bool:
    """Return whether the masks of SBD are there."""
    return _list(root, "trainaug").is_file() and (root / "SegmentationClassAug").is_dir()


def _list(root: Path, split: str) -> Path:
    return root / "ImageSets" / "Segmentation" / f"{_LISTS.get(split, split)}.txt"


def _check_held_out(names: tuple[str, ...], source: Path, validation: Path) -> None:
    """Refuse to learn from images of validation, which lists of SBD itself name."""
    held_out = set(listed_names(validation, _UNPACK))
    leaked = [name for name in names if name in held_out]
    if leaked:
        raise InputError(
            f"{source}: {len(leaked)} of its images are in {validation.name} too, such as "
            f"{leaked[0]}; the scores would be of images that were learned; remove them from it"
        )
