"""Pascal VOC 2012 segmentation, and the additional masks of SBD.

1,464 training and 1,449 validation images of at most 500×500 pixels, with 20 classes of objects
and background (Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective",
IJCV 2015). The images are under the terms of use of Flickr.

```
ROOT/JPEGImages/*.jpg                             ROOT is VOCdevkit/VOC2012
ROOT/SegmentationClass/*.png
ROOT/ImageSets/Segmentation/{train,val}.txt       names without endings
ROOT/SegmentationClassAug/*.png                   for data.augmented
ROOT/ImageSets/Segmentation/trainaug.txt          for data.augmented
```

Masks are palette PNG files whose palette indices are the ids: 0 is background, which is a class,
and 255 is void, the border of objects and difficult regions, which is ignored.

SBD (Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011) annotates more of the
images. The usual list `trainaug` has 10,582 training images, none of them in the validation split.
An image that VOC annotates too keeps the mask of VOC, which has the void border. SBD is published
as MATLAB files, `dataset/cls/*.mat`, which would need SciPy: convert the array
`GTcls.Segmentation` of each to PNG once, or use a published `SegmentationClassAug`.
"""

from pathlib import Path
from typing import ClassVar, Self

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.listing import find_named_files, read_split_list
from sceneparse.data.file_listing import FilesByName
from sceneparse.data.pairing import pair_by_name
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

    title: ClassVar[str] = "Pascal VOC 2012"
    image_names: ClassVar[str] = r"^\d{4}_\d{6}"

    root: UserPath = Path("data/VOCdevkit/VOC2012")
    """Folder that holds `JPEGImages`, `SegmentationClass` and `ImageSets`."""
    augmented: bool = False
    """Train on the images of `trainaug.txt`, with masks of SBD in `SegmentationClassAug`."""

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Return the settings of the data set in a folder; use SBD if its masks exist."""
        data = cls(root=root, augmented=has_augmented(root))
        return data if data.splits() else None

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        return _split_list(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
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
        InputError: If the layout differs, or files that the lists name are missing.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to VOCdevkit/VOC2012")
    masks, fix = [root / "SegmentationClass"], _UNPACK
    source = _split_list(root, split)
    if augmented and split == "training":
        source = source.with_name("trainaug.txt")
        masks, fix = [*masks, root / "SegmentationClassAug"], _CONVERT
    names = read_split_list(source, fix)
    if augmented and split == "training":
        _check_held_out(names, source, _split_list(root, "validation"))
    images = root / "JPEGImages"
    return pair_by_name(
        FilesByName(images, find_named_files(names, source, [images], _JPEG, _UNPACK)),
        FilesByName(masks[0], find_named_files(names, source, masks, _PNG, fix)),
        table_labels("voc2012"),
        split,
    )


def has_augmented(root: Path) -> bool:
    """Return whether the masks of SBD exist."""
    return _split_list(root, "trainaug").is_file() and (root / "SegmentationClassAug").is_dir()


def _split_list(root: Path, split: str) -> Path:
    return root / "ImageSets" / "Segmentation" / f"{_LISTS.get(split, split)}.txt"


def _check_held_out(names: tuple[str, ...], source: Path, validation: Path) -> None:
    """Refuse lists with validation images, as the lists of SBD have."""
    held_out = set(read_split_list(validation, _UNPACK))
    leaked = [name for name in names if name in held_out]
    if leaked:
        raise InputError(
            f"{source}: {len(leaked)} of its images are in {validation.name} too, such as "
            f"{leaked[0]}; expected disjoint lists; remove these images from {source.name}"
        )
