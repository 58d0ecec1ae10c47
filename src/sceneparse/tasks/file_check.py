"""The check of files before they are learned or scored."""

from collections.abc import Mapping

from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.checks.quick import quick_check
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.header_index import check_image_sizes
from sceneparse.data.settings import DataSettings
from sceneparse.recording.events import Callback, Message


def check_files(splits: Mapping[str, Dataset], data: DataSettings, callback: Callback) -> None:
    """Check the header of each file that is new or changed, and some samples of each split.

    Raises:
        InputError: If files do not fit together, or something wrong would be learned or scored.
    """
    if isinstance(data, SyntheticData):
        return
    files = {
        name: dataset.files if isinstance(dataset, CachedDataset) else dataset
        for name, dataset in splits.items()
    }
    paired = {name: found for name, found in files.items() if isinstance(found, PairedFiles)}
    for found in paired.values():
        check_image_sizes(found, data.root)
    # `data cache` has checked what it decoded, and a run opens none of these files.
    unread = {
        name: found
        for name, found in paired.items()
        if not (isinstance(cached := splits[name], CachedDataset) and cached.is_complete)
    }
    if unread:
        for finding in quick_check(data, unread):
            callback(Message(f"warning: {finding}"))
