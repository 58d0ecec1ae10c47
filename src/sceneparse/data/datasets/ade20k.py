"""ADE20K scene parsing: the `ADEChallengeData2016` layout.

20,210 training and 2,000 validation images with 150 classes (Zhou et al., "Scene Parsing through
ADE20K Dataset", CVPR 2017; arXiv 1608.05442). Masks are 8-bit PNG: raw ids 1..150 are the classes
and 0 is "other", which the benchmark ignores. The images may be used for non-commercial research
and education only; the annotations are under the BSD-3-Clause licence.

Layout: `images/{training,validation}/*.jpg` and `annotations/{training,validation}/*.png`.
"""

from pathlib import Path
from typing import ClassVar

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.pairing import pair_folders
from sceneparse.errors import InputError
from sceneparse.labels import Labels, ade20k_labels
from sceneparse.system.settings import UserPath, settings


@settings
class Ade20kData(PublishedData):
    """ADE20K in the layout of `ADEChallengeData2016`."""

    title: ClassVar[str] = "ADE20K"
    image_names: ClassVar[str] = r"^(ADE_|scene_)"

    root: UserPath = Path("data/ADEChallengeData2016")
    """Folder that holds `images` and `annotations`."""

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        return self.root / "images" / split

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split."""
        return ade20k(root, split)

    def find_labels(self) -> Labels:
        """Return the classes."""
        return ade20k_labels()


def ade20k(root: Path, split: str) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds `images` and `annotations`.
        split: `training` or `validation`.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds ADEChallengeData2016")
    if not (root / "images").is_dir() or not (root / "annotations").is_dir():
        raise InputError(
            f"{root}: expected the folders `images` and `annotations` of ADEChallengeData2016; "
            "set data.root to the folder that holds them"
        )
    return pair_folders(
        root / "images" / split, root / "annotations" / split, ade20k_labels(), split
    )
