"""Which data set a job is about: by its folder, or by a config."""

from pathlib import Path

from sceneparse.config.reading import read_config
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.published import PublishedData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError


def find_data(path: Path) -> PublishedData | FolderData:
    """Return the settings of a data set.

    Args:
        path: Its folder, in which the data set is recognised; or the config of a run, which names
            it with its options.

    Raises:
        InputError: If the config is wrong or names no files, or the folder holds no data set.
    """
    if path.suffix.lower() not in (".yaml", ".yml") or path.is_dir():
        return recognise(path) or FolderData(root=path)
    data = read_config(path).data
    if isinstance(data, SyntheticData):
        raise InputError(
            f"{path}: its scenes are drawn when they are needed; make files of them with "
            "`sceneparse data synth`, and name their folder"
        )
    return data
