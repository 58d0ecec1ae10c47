"""Cityscapes, the finely annotated part.

2,975 training, 500 validation and 1,525 test images of 2048×1024 pixels, street scenes of 50
cities, with 19 classes (Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene
Understanding", CVPR 2016; arXiv 1604.01685). It is free for non-commercial purposes such as
research and teaching. The data set must not be distributed; models trained on it may be.

```
ROOT/leftImg8bit/{train,val}/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png
ROOT/gtFine/{train,val}/CITY/CITY_SEQUENCE_FRAME_gtFine_labelIds.png
```

Masks hold the ids 0..33. The benchmark scores 19 of them; the others are ignored, among them 0,
"unlabeled". Licence plates, id -1, are not drawn in the masks. Id 255 does not occur; a file that
holds it is a mask of train ids. Predictions are written with the same ids, as the evaluation server
expects. The test split is refused, since its masks are dummies.

Ids, names and colours are from `helpers/labels.py` of cityscapesScripts.
"""

from pathlib import Path
from typing import ClassVar

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.listing import find_files_below, unknown_split_error
from sceneparse.data.file_listing import FilesByName
from sceneparse.data.pairing import pair_by_name
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_FOLDERS = {"training": "train", "validation": "val"}
_IMAGE, _MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"


@settings
class CityscapesData(PublishedData):
    """Cityscapes: 19 classes of street scenes."""

    title: ClassVar[str] = "Cityscapes"

    root: UserPath = Path("data/cityscapes")
    """Folder that holds `leftImg8bit` and `gtFine`."""

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        return self.root / "leftImg8bit" / _FOLDERS[split]

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
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
        InputError: If the layout differs, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(
            f"{root}: no such folder; set data.root to the folder of leftImg8bit and gtFine"
        )
    if split not in _FOLDERS:
        raise unknown_split_error(split, _FOLDERS)
    images, masks = (root / kind / _FOLDERS[split] for kind in ("leftImg8bit", "gtFine"))
    unpack = f"unpack {{}} in {root}"
    return pair_by_name(
        FilesByName(
            images, find_files_below(images, _IMAGE, unpack.format("leftImg8bit_trainvaltest.zip"))
        ),
        FilesByName(
            masks, find_files_below(masks, _MASK, unpack.format("gtFine_trainvaltest.zip"))
        ),
        table_labels("cityscapes"),
        split,
    )
