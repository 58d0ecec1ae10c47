"""The base class of the settings of published data sets."""

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

    To add a layout, write a module with a subclass, and add a line to `data/settings.py`.
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
        """Return the settings of the data set in a folder; none if it holds no such data set."""
        data = cls(root=root)
        return data if data.splits() else None

    def split_path(self, split: str) -> Path:
        """Return the folder or list whose existence shows that a split is present."""
        raise NotImplementedError

    def splits(self) -> tuple[str, ...]:
        """Return those of the splits `training` and `validation` that exist."""
        return tuple(split for split in SPLITS if self.split_path(split).exists())

    def open_split(self, root: Path, split: str) -> PairedFiles:
        """Open all samples of one split.

        Args:
            root: Folder of the data set, which may differ from the settings' own.
            split: `training`, `validation`, or another split of the data set.

        Raises:
            InputError: If the layout differs, or images and masks do not pair.
        """
        raise NotImplementedError

    def find_labels(self) -> Labels:
        """Return the classes; open files only if the classes depend on them.

        Raises:
            InputError: If the files that determine the classes are missing or broken.
        """
        raise NotImplementedError
