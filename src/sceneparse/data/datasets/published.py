"""The base class of the settings of published data sets."""

from pathlib import Path
from typing import ClassVar, Self

from sceneparse.data.datasets.file_data import SPLITS, FileData
from sceneparse.system.settings import PositiveInt, settings


@settings
class PublishedData(FileData):
    """A data set in its published layout.

    To add a layout, write a module with a subclass, and add a line to `data/settings.py`.
    """

    # Name of the data set in messages.
    title: ClassVar[str] = "a published data set"
    # Regular expression of the names of its images; empty if the layout requires them.
    image_names: ClassVar[str] = ""

    training_limit: PositiveInt | None = None
    """Use at most so many training images, spread evenly; for a quick try."""
    validation_limit: PositiveInt | None = None
    """Use at most so many validation images."""

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
