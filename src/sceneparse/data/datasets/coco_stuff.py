"""COCO-Stuff, all of COCO 2017 with things and stuff ("164k").

118,287 training and 5,000 validation images with 80 classes of things and 91 of stuff (Caesar et
al., "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018; arXiv 1612.03716; images of Lin
et al., "Microsoft COCO", ECCV 2014). The images are under the terms of flickr, the annotations
under CC BY 4.0.

```
ROOT/images/{train2017,val2017}/*.jpg             train2017.zip, val2017.zip
ROOT/annotations/{train2017,val2017}/*.png        stuffthingmaps_trainval2017.zip
```

A pixel holds the id of its class less one: 0..181 for the ids 1..182, where 0 is "person", a class,
and 255 is unlabeled, which is ignored. Of the 182, 11 classes of things have no annotation and do
not occur: 171 are left. Files `*_labelTrainIds.png` of other tools among the masks are passed over.

Names are from `labels.txt` of nightrome/cocostuff; the colours, of which the data set has none, are
those of MMSegmentation.
"""

from pathlib import Path

from sceneparse.data.dataset import Listing, PairedFiles, files_by_stem, pair
from sceneparse.data.datasets.listing import split_problem
from sceneparse.data.datasets.published import PublishedData
from sceneparse.errors import InputError
from sceneparse.labels import Labels, table_labels
from sceneparse.system.settings import UserPath, settings

_FOLDERS = {"training": "train2017", "validation": "val2017"}
_OF_OTHERS = "_labelTrainIds"


@settings
class CocoStuffData(PublishedData):
    """COCO-Stuff 164k: 80 classes of things and 91 of stuff."""

    root: UserPath = Path("data/coco_stuff")
    """Folder that holds `images` and `annotations`, each with `train2017` and `val2017`."""

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        return self.root / "images" / _FOLDERS[split]

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole."""
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
        InputError: If the layout is another, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root to that of images and annotations")
    if split not in _FOLDERS:
        raise split_problem(split, _FOLDERS)
    images, masks = (root / kind / _FOLDERS[split] for kind in ("images", "annotations"))
    for folder, archive in (
        (images, f"{images.name}.zip in {images.parent}"),
        (masks, f"stuffthingmaps_trainval2017.zip in {masks.parent}"),
    ):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; unpack {archive}")
    mask_of = files_by_stem(masks, frozenset({".png"}))
    return pair(
        Listing(images, files_by_stem(images, frozenset({".jpg"}))),
        Listing(masks, {key: mask_of[key] for key in mask_of if not key.endswith(_OF_OTHERS)}),
        table_labels("coco_stuff"),
        split,
    )
