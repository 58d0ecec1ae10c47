"""Which published data set lies in a folder."""

from pathlib import Path

from sceneparse.data.dataset import PairedFiles, folders_in
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.folder import is_folder
from sceneparse.data.datasets.published import SPLITS, PublishedData
from sceneparse.data.settings import DATASETS
from sceneparse.errors import InputError


def recognise(root: Path) -> PublishedData | None:
    """Return the settings of a published data set; none if the folder is one of the user's own.

    Raises:
        InputError: If it is neither of them.
    """
    if (root / "labels.yaml").is_file():
        return None
    for layout in DATASETS.values():
        found = None if layout is Ade20kData else layout.recognise(root)
        if found:
            return found
    if is_folder(root):
        return None
    if root.is_dir() and not (root / "images").is_dir() and not (root / "annotations").is_dir():
        raise InputError(
            f"{root}: no known data set{folders_in(root)}; give the folder that docs/datasets.md "
            "names for a published one, or one with images, masks and labels.yaml"
        )
    # Opening it says what is missing.
    return Ade20kData(root=root)


def open_published(data: PublishedData, splits: tuple[str, ...] = ()) -> dict[str, PairedFiles]:
    """Open the splits asked for, or those that exist.

    Raises:
        InputError: If images and masks do not pair, or the folder is no data set at all.
    """
    wanted = splits or data.splits() or SPLITS[:1]
    return {split: data.open_split(data.root, split) for split in wanted}
