"""Settings that every published data set has."""

from pathlib import Path
from typing import Literal, Self

from sceneparse.data.dataset import PairedFiles
from sceneparse.labels import Labels
from sceneparse.system.settings import PositiveInt, UserPath, settings

CacheChoice = Literal["auto", "off"] | UserPath


SPLITS = ("training", "validation")


@settings
class PublishedData:
    """A data set in its published layout.

    A new layout is a module with a class like its siblings here, and a line in `data/settings.py`.
    """

    root: UserPath
    """Folder of the data set."""
    training_limit: PositiveInt | None = None
    """Use at most so many training images, spread evenly; for a quick try."""
    validation_limit: PositiveInt | None = None
    """Use at most so many validation images."""
    cache: CacheChoice = "auto"
    """`auto`: pixels that `sceneparse data cache` decoded, if they fit; `off`; or their folder."""

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Return the settings of the data set in a folder; none if another one lies there."""
        data = cls(root=root)
        return data if data.splits() else None

    def split_path(self, split: str) -> Path:
        """Return the folder or the list that exists where the files of a split do."""
        raise NotImplementedError

    def splits(self) -> tuple[str, ...]:
        """Return which of training and validation exist."""
        return tuple(split for split in SPLITS if self.split_path(split).exists())

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open one split, whole.

        Args:
            root: The folder of the data set, which may be another than the settings name.
            split: `training` or `validation`, or another that the data set has.

        Raises:
            InputError: If the files are not as they should be.
        """
        raise NotImplementedError

    def find_labels(self) -> Labels:
        """Return the classes; where they are known beforehand no file is opened.

        Raises:
            InputError: If they have to be counted in files that are not as they should be.
        """
        raise NotImplementedError
