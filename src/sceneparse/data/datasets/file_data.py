"""The base classes of the settings of data sets that lie in files, also of published ones."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.io.decode import ImageReading
from sceneparse.labels import Labels
from sceneparse.system.settings import PositiveInt, UserPath, settings

_MAX_BANDS = 32
# The splits of a run.
SPLITS = ("training", "validation")
CacheChoice = Literal["auto", "off"] | UserPath


def _rising(value_range: tuple[float, float]) -> tuple[float, float]:
    if not value_range[0] < value_range[1]:
        raise ValueError("expected two numbers, the first one smaller")
    return value_range


def _numbered_from_1(bands: tuple[int, ...]) -> tuple[int, ...]:
    if not 1 <= len(bands) <= _MAX_BANDS or min(bands) < 1:
        raise ValueError(f"expected 1 to {_MAX_BANDS} numbers of bands, counted from 1")
    return bands


Bands = Annotated[tuple[int, ...], AfterValidator(_numbered_from_1)]
ValueRange = Annotated[tuple[float, float], AfterValidator(_rising)]


@settings
class FileData:
    """Images and masks in files."""

    root: UserPath
    """Folder of the data set."""
    exif_orientation: Literal["apply", "ignore"] = "apply"
    """`apply`: turn images as their EXIF orientation says; `ignore`: for masks that were drawn on
    the stored pixels."""
    image_range: ValueRange | None = None
    """Values in the files that become black and white, such as `[0, 4095]` for 12 bits in files of
    16; none for all that a file can hold."""
    bands: Bands | None = None
    """Bands of each file that the network takes, in this order, numbered from 1 as GDAL and QGIS
    do: `[1, 2, 3, 4]` for red, green, blue and infrared; none for RGB."""
    cache: CacheChoice = "auto"
    """`auto`: pixels that `sceneparse data cache` decoded, if they fit; `off`; or their folder."""

    @property
    def reading(self) -> ImageReading:
        """How image files become arrays."""
        return ImageReading(self.exif_orientation == "apply", self.image_range, self.bands)

    def files(self, split: str, root: Path | None = None) -> PairedFiles:
        """Open all samples of one split, to be read as these settings say.

        Args:
            split: `training`, `validation`, or another split of the data set.
            root: Folder to use instead of the settings' own.

        Raises:
            InputError: If the layout differs, or images and masks do not pair.
        """
        return replace(self.open_split(root or self.root, split), reading=self.reading)

    def splits(self) -> tuple[str, ...]:
        """Return those of the splits `training` and `validation` that exist."""
        raise NotImplementedError

    def all_splits(self) -> dict[str, PairedFiles]:
        """Open all splits, by name; a folder without splits is one, whose name is empty.

        Raises:
            InputError: If the layout differs, or images and masks do not pair.
        """
        return {split: self.files(split) for split in self.splits() or SPLITS[:1]}

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
