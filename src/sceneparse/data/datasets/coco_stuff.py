"""COCO-Stuff 164k: all images of COCO 2017, with things and stuff.

118,287 training and 5,000 validation images with 80 classes of things and 91 of stuff (Caesar et
al., "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018; arXiv 1612.03716; images of Lin
et al., "Microsoft COCO", ECCV 2014). The images are under the terms of Flickr, the annotations
under CC BY 4.0.

```
ROOT/images/{train2017,val2017}/*.jpg             train2017.zip, val2017.zip
ROOT/annotations/{train2017,val2017}/*.png        stuffthingmaps_trainval2017.zip
```

A mask stores the id of a class minus one: 0..181 for the ids 1..182. 0 is the class "person"; 255,
unlabelled, is ignored. 11 of the 182 classes have no annotations, so 171 classes remain. Files
`*_labelTrainIds.png` of other tools among the masks are skipped.

Names are from `labels.txt` of nightrome/cocostuff. The data set has no colours; those used here are
from MMSegmentation.
"""

from pathlib import Path
from typing import ClassVar

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.listing import unknown_split_error
from sceneparse.data.file_listing import FilesByName, files_by_stem
from sceneparse.data.pairing import pair_by_name
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_FOLDERS = {"training": "train2017", "validation": "val2017"}
_FOREIGN_SUFFIX = "_labelTrainIds"


@settings
class CocoStuffData(PublishedData):
    """COCO-Stuff 164k: 80 classes of things and 91 of stuff."""

    title: ClassVar[str] = "COCO-Stuff"
    image_names: ClassVar[str] = r"^(COCO_.*)?\d{12}\."

    root: UserPath = Path("data/coco_stuff")
    """Folder that holds `images` and `annotations`, each with `train2017` and `val2017`."""

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        return self.root / "images" / _FOLDERS[split]

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
        return coco_stuff(root, split)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return table_labels("coco_stuff")


def coco_stuff(root: Path, split: str) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds `images` and `annotations`.
        split: `training` or `validation`.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(
            f"{root}: no such folder; set data.root to the folder of images and annotations"
        )
    if split not in _FOLDERS:
        raise unknown_split_error(split, _FOLDERS)
    images, masks = (root / kind / _FOLDERS[split] for kind in ("images", "annotations"))
    for folder, archive in (
        (images, f"{images.name}.zip in {images.parent}"),
        (masks, f"stuffthingmaps_trainval2017.zip in {masks.parent}"),
    ):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; unpack {archive}")
    mask_paths = files_by_stem(masks, frozenset({".png"}))
    return pair_by_name(
        FilesByName(images, files_by_stem(images, frozenset({".jpg"}))),
        FilesByName(
            masks, {key: mask_paths[key] for key in mask_paths if not key.endswith(_FOREIGN_SUFFIX)}
        ),
        table_labels("coco_stuff"),
        split,
    )
