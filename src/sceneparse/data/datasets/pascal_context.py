"""Pascal-Context: masks of whole scenes for images of Pascal VOC 2010.

4,998 training and 5,105 validation images of at most 500×500 pixels. The benchmark uses the 59 most
frequent of more than 400 classes (Mottaghi et al., "The Role of Context for Object Detection and
Semantic Segmentation in the Wild", CVPR 2014). The images are under the terms of use of Flickr; ask
the authors for the terms of the annotations.

```
ROOT/JPEGImages/*.jpg                             ROOT is VOCdevkit/VOC2010
ROOT/SegmentationClassContext/*.png
ROOT/ImageSets/SegmentationContext/{train,val}.txt
```

This is the common converted form, which `tools/dataset_converters/pascal_context.py` of
MMSegmentation creates from `trainval_merged.json`: ids 1..59 are the classes, and id 0 is
everything else. Id 0 is ignored in the usual score over 59 classes, and a class of its own in the
score over 60. Id 255 does not occur.

Older lists of class names in the order of VOC, where id 2 is "bicycle", do not match these files.
"""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.listing import find_named_files, read_split_list
from sceneparse.data.file_listing import FilesByName
from sceneparse.data.pairing import pair_by_name
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

    title: ClassVar[str] = "Pascal-Context"
    image_names: ClassVar[str] = r"^\d{4}_\d{6}"

    root: UserPath = Path("data/VOCdevkit/VOC2010")
    """Folder that holds `JPEGImages`, `SegmentationClassContext` and `ImageSets`."""
    background: bool = False
    """Make everything outside the 59 classes a class of its own, for scores of 60 classes."""

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        return _split_list(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
        return pascal_context(root, split, background=self.background)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return pascal_context_labels(background=self.background)


def pascal_context(root: Path, split: str, *, background: bool = False) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder `VOCdevkit/VOC2010`.
        split: `training`, `validation`, or the name of another list.
        background: Whether everything outside the 59 classes is a class of its own.

    Raises:
        InputError: If the layout differs, or files that the lists name are missing.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to VOCdevkit/VOC2010")
    source = _split_list(root, split)
    names = read_split_list(source, _CONVERT)
    images, masks = root / "JPEGImages", root / "SegmentationClassContext"
    return pair_by_name(
        FilesByName(
            images, find_named_files(names, source, [images], frozenset({".jpg"}), _UNPACK)
        ),
        FilesByName(masks, find_named_files(names, source, [masks], frozenset({".png"}), _CONVERT)),
        pascal_context_labels(background=background),
        f"{split}-background" if background else split,
    )


def _split_list(root: Path, split: str) -> Path:
    """Return the path of the list of images of a split."""
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
