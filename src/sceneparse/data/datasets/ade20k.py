"""ADE20K scene parsing: the `ADEChallengeData2016` layout.

20,210 training and 2,000 validation images with 150 classes (Zhou et al., "Scene Parsing through
ADE20K Dataset", CVPR 2017; arXiv 1608.05442). Annotations are 8-bit PNG: 1..150 are the classes and
0 is "other", which the benchmark ignores. The images may be used for non-commercial research and
education only; the annotations are under the BSD-3-Clause licence.

Layout: `images/{training,validation}/*.jpg` and `annotations/{training,validation}/*.png`.
"""

from pathlib import Path

from sceneparse.data.dataset import PairedFiles, pair_files
from sceneparse.errors import InputError
from sceneparse.labels import ade20k_labels


def ade20k(root: Path, split: str) -> PairedFiles:
    """Open one split.

    Args:
        root: The folder that holds `images` and `annotations`.
        split: `training` or `validation`.

    Raises:
        InputError: If the layout is another, or images and masks do not pair.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds ADEChallengeData2016")
    if not (root / "images").is_dir() or not (root / "annotations").is_dir():
        raise InputError(
            f"{root}: expected the folders `images` and `annotations` of ADEChallengeData2016; "
            "set data.root to the folder that holds them"
        )
    return pair_files(root / "images" / split, root / "annotations" / split, ade20k_labels(), split)


def ade20k_split(root: Path, split: str) -> Path:
    """Return the folder that is there where a split is."""
    return root / "images" / split
