"""Recognition of the published data set in a folder."""

from pathlib import Path

from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.folder import is_folder_dataset
from sceneparse.data.file_listing import subfolder_hint
from sceneparse.data.formats.registry import is_annotated
from sceneparse.data.settings import DATASETS
from sceneparse.errors import InputError

_CLASS_LISTS = ("labels.yaml", "labelmap.txt")


def recognise(root: Path) -> PublishedData | None:
    """Return the settings of the published data set in a folder; none for a folder of own images.

    Raises:
        InputError: If the folder holds neither.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the folder of a data set")
    # A folder that lists its own classes is not a published data set.
    if any((root / name).is_file() for name in _CLASS_LISTS):
        return None
    for layout in DATASETS.values():
        found = None if layout is Ade20kData else layout.recognise(root)
        if found:
            return found
    if is_annotated(root) or is_folder_dataset(root):
        return None
    if root.is_dir() and not (root / "images").is_dir() and not (root / "annotations").is_dir():
        raise InputError(
            f"{root}: no known data set{subfolder_hint(root)}; give the folder that "
            "docs/datasets.md names for a published one, or your own images as docs/own_data.md "
            "says"
        )
    # Opening the data set reports what is missing.
    return Ade20kData(root=root)
