"""Pascal-Context: whole scenes for images of Pascal VOC 2010.

4,998 training and 5,105 validation images of at most 500×500 pixels. Of its more than 400 classes
the 59 most frequent are used (Mottaghi et al., "The Role of Context for Object Detection and
Semantic Segmentation in the Wild", CVPR 2014). The images are from flickr, whose terms of use
they are under; the terms of the annotations are to be asked of their authors.

```
ROOT/JPEGImages/*.jpg                             ROOT is VOCdevkit/VOC2010
ROOT/SegmentationClassContext/*.png
ROOT/ImageSets/SegmentationContext/{train,val}.txt
```

This is the common converted form, which `tools/dataset_converters/pascal_context.py` of
MMSegmentation makes of `trainval_merged.json`: 1..59 are the classes, in the order of their ids
among all, and 0 is everything else. It is ignored for the usual score of 59 classes, or a class of
its own for that of 60. There is no 255.

Older lists of class names in the order of VOC, where 2 is "bicycle", do not belong to these files.
"""

from dataclasses import replace
from pathlib import Path

from sceneparse.data.dataset import Listing, PairedFiles, pair
from sceneparse.data.datasets.listing import listed_names, named_files
from sceneparse.data.datasets.published import PublishedData
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_LISTS = {"training": "train", "validation": "val"}
_UNPACK = "unpack VOCtrainval_03-May-2010.tar, and set data.root to VOCdevkit/VOC2010"
_CONVERT = (
    "make SegmentationClassContext and ImageSets/SegmentationContext from trainval_merged.json, "
    "with tools/dataset_converters/pascal_context.py of MMSegmentation"
)


@settings
class PascalContextData(PublishedData):
    """Pascal-Context: 59 classes in images of VOC 2010."""

    root: UserPath = Path("data/VOCdevkit/VOC2010")
    """Folder that holds `JPEGImages`, `SegmentationClassContext` and `ImageSets`."""
    background: bool = False
    """Make everything outside the 59 classes a class of its own, for scores of 60 classes."""

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        return _list(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole."""
        return pascal_context(root, split, background=self.background)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return pascal_context_labels(background=self.background)


def pascal_context(root: Path, split: str, *, background: bool = False) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder `VOCdevkit/VOC2010`.
        split: `training`, `validation`, or the name of another list.
        background: Whether what is none of the 59 classes is a class of its own.

    Raises:
        InputError: If the layout is another, or files that the lists name are missing.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to VOCdevkit/VOC2010")
    source = _list(root, split)
    names = listed_names(source, _CONVERT)
    images, masks = root / "JPEGImages", root / "SegmentationClassContext"
    return pair(
        Listing(images, named_files(names, source, [images], frozenset({".jpg"}), _UNPACK)),
        Listing(masks, named_files(names, source, [masks], frozenset({".png"}), _CONVERT)),
        pascal_context_labels(background=background),
        f"{split}-background" if background else split,
    )


def _list(root: Path, split: str) -> Path:
    """Return the list of the images of a split."""
    return root / "ImageSets" / "SegmentationContext" / f"{_LISTS.get(split, split)}.txt"


def pascal_context_labels(*, background: bool) -> Labels:
    """Return the 59 classes, or 60 with the background."""
    labels = table_labels("pascal_context")
    if not background:
        return labels
    return replace(
        labels,
        class_names=("background", *labels.class_names),
        colors=((120, 120, 120), *labels.colors),
        raw_ids=(0, *labels.raw_ids),
        ignored_ids=(),
    )
