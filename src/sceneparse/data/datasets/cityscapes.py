"""Cityscapes, the finely annotated part.

2,975 training, 500 validation and 1,525 test images of 2048×1024 pixels, street scenes of 50
cities, with 19 classes (Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene
Understanding", CVPR 2016; arXiv 1604.01685). Free for non-commercial purposes such as research and
teaching; it may not be distributed, models trained on it may.

```
ROOT/leftImg8bit/{train,val}/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png
ROOT/gtFine/{train,val}/CITY/CITY_SEQUENCE_FRAME_gtFine_labelIds.png
```

Masks hold 34 ids, 0..33, of which the benchmark scores 19; the others are ignored, 0 "unlabeled"
among them. Licence plates have the id -1, which is not drawn: there is what lies beneath. 255 does
not occur; files that hold it are those of train ids. Predictions are written in the same ids, which
are those that the evaluation server expects. Masks of the test split are dummies, and are refused.

Ids, names and colours are from `helpers/labels.py` of cityscapesScripts.
"""

from pathlib import Path

from sceneparse.data.dataset import Listing, PairedFiles, pair
from sceneparse.data.datasets.listing import files_below, split_problem
from sceneparse.data.datasets.published import PublishedData
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_FOLDERS = {"training": "train", "validation": "val"}
_IMAGE, _MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"


@settings
class CityscapesData(PublishedData):
    """Cityscapes: 19 classes of street scenes."""

    root: UserPath = Path("data/cityscapes")
    """Folder that holds `leftImg8bit` and `gtFine`."""

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        return self.root / "leftImg8bit" / _FOLDERS[split]

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole."""
        return cityscapes(root, split)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return table_labels("cityscapes")


def cityscapes(root: Path, split: str) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds `leftImg8bit` and `gtFine`.
        split: `training` or `validation`.

    Raises:
        InputError: If the layout is another, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to that of leftImg8bit and gtFine")
    if split not in _FOLDERS:
        raise split_problem(split, _FOLDERS)
    images, masks = (root / kind / _FOLDERS[split] for kind in ("leftImg8bit", "gtFine"))
    unpack = f"unpack {{}} in {root}"
    return pair(
        Listing(images, files_below(images, _IMAGE, unpack.format("leftImg8bit_trainvaltest.zip"))),
        Listing(masks, files_below(masks, _MASK, unpack.format("gtFine_trainvaltest.zip"))),
        table_labels("cityscapes"),
        split,
    )
