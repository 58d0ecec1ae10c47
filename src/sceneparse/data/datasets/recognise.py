"""Which published data set lies in a folder, told by what is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sceneparse.data.dataset import PairedFiles, folders_in
from sceneparse.data.datasets.ade20k import ade20k, ade20k_split
from sceneparse.data.datasets.ade20k_full import ade20k_full, ade20k_full_split
from sceneparse.data.datasets.camvid import camvid, camvid11_split, camvid32_split
from sceneparse.data.datasets.cityscapes import cityscapes, cityscapes_split
from sceneparse.data.datasets.coco_stuff import coco_stuff, coco_stuff_split
from sceneparse.data.datasets.folder import is_folder
from sceneparse.data.datasets.pascal_context import pascal_context, pascal_context_split
from sceneparse.data.datasets.voc2012 import has_augmented, voc2012, voc2012_split
from sceneparse.errors import InputError

_SPLITS = ("training", "validation")


class Layout(NamedTuple):
    """How a published data set lies in its folder.

    Attributes:
        open: Opens a split of it below a root.
        split_at: Where the files of a split lie below a root, or its list.
        kind: What a config calls it.
        options: What a config says beside, for what lies below a root.
    """

    open: Callable[[Path, str], PairedFiles]
    split_at: Callable[[Path, str], Path]
    kind: str
    options: Callable[[Path], dict[str, Any]] = lambda _: {}

    def splits(self, root: Path) -> tuple[str, ...]:
        """Return which of training and validation are there."""
        return tuple(split for split in _SPLITS if self.split_at(root, split).exists())


def published(root: Path) -> Layout | None:
    """Return the layout of a published data set; none if the folder is one of one's own.

    Options of a data set are as in its config by default; SBD is used where it is there.

    Raises:
        InputError: If it is neither of them.
    """
    if (root / "labels.yaml").is_file():
        return None
    for layout in _LAYOUTS:
        if layout.splits(root):
            return layout
    if is_folder(root):
        return None
    if root.is_dir() and not (root / "images").is_dir() and not (root / "annotations").is_dir():
        raise InputError(
            f"{root}: no data set that is known{folders_in(root)}; give the folder that docs/"
            "datasets.md names for a published one, or one with images, masks and labels.yaml"
        )
    return _ADE20K


def open_published(
    layout: Layout, root: Path, splits: tuple[str, ...] = ()
) -> dict[str, PairedFiles]:
    """Open the splits asked for, or those that there are.

    Raises:
        InputError: If images and masks do not pair, or the folder is no data set at all.
    """
    wanted = splits or layout.splits(root) or _SPLITS[:1]
    return {split: layout.open(root, split) for split in wanted}


def _voc2012(root: Path, split: str) -> PairedFiles:
    return voc2012(root, split, augmented=has_augmented(root))


def _camvid32(root: Path, split: str) -> PairedFiles:
    return camvid(root, split, 32)


def _voc2012_options(root: Path) -> dict[str, Any]:
    return {"augmented": has_augmented(root)}


def _camvid32_options(_: Path) -> dict[str, Any]:
    return {"classes": 32}


# What is meant where nothing else fits: it says what it misses.
_ADE20K = Layout(ade20k, ade20k_split, "ade20k")
# Of two that fit, the first one is meant: VOC 2010 has the lists of both of its uses.
_LAYOUTS = (
    Layout(cityscapes, cityscapes_split, "cityscapes"),
    Layout(pascal_context, pascal_context_split, "pascal_context"),
    Layout(_voc2012, voc2012_split, "voc2012", _voc2012_options),
    Layout(coco_stuff, coco_stuff_split, "coco_stuff"),
    Layout(camvid, camvid11_split, "camvid"),
    Layout(_camvid32, camvid32_split, "camvid", _camvid32_options),
    Layout(ade20k_full, ade20k_full_split, "ade20k_full"),
)
