"""The images that an export is compared with PyTorch on, and that int8 is calibrated on."""

from pathlib import Path

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.io.decode import read_image
from sceneparse.data.settings import DataSettings
from sceneparse.errors import InputError
from sceneparse.exporters.samples import ParitySample, Samples
from sceneparse.tasks.evaluate import check_same_classes
from sceneparse.tasks.image_files import find_images


def comparison(stored: StoredModel, path: Path) -> Samples:
    """Find the images to compare labels on: those given, or a data set's validation images.

    Args:
        stored: The model.
        path: An image, a folder of images, or a data set, whose masks are read too.

    Raises:
        InputError: If there are none, or the classes of the data set are not the model's.
    """
    data = _data_set(stored, path)
    return _files(stored, path) if data is None else _split(stored, data, path, "validation")


def calibration_and_comparison(stored: StoredModel, path: Path) -> tuple[Samples, Samples]:
    """Find images to calibrate on, and others to compare labels on.

    Of a data set, these are its training and its validation images; of other images, every second
    one.

    Args:
        stored: The model.
        path: A folder of images, or a data set.

    Raises:
        InputError: If there are less than two images, or the classes of the data set are not the
            model's.
    """
    data = _data_set(stored, path)
    if data is not None:
        return _split(stored, data, path, "training"), _split(stored, data, path, "validation")
    files = _files(stored, path)
    if len(files) < 2:
        raise InputError(
            f"{path}: found one image, expected at least two: one to calibrate on, and another to "
            "compare labels on; give a folder of images",
            "images",
        )
    return files.every_second(0), files.every_second(1)


def _data_set(stored: StoredModel, path: Path) -> DataSettings | None:
    """Return the settings of the data set in a folder; none for images without a layout."""
    if not path.is_dir():
        return None
    try:
        found = recognise(path)
    except InputError:
        return None
    own = stored.config.data
    return found or (own if isinstance(own, FolderData) else FolderData(root=path))


def _split(stored: StoredModel, data: DataSettings, root: Path, split: str) -> Samples:
    dataset = factory.dataset(data, split, root)
    check_same_classes(stored.labels.class_names, dataset.labels.class_names)

    def read(index: int) -> ParitySample:
        sample = dataset[index]
        return ParitySample(sample.name, sample.image, sample.mask)

    return Samples(read, tuple(range(len(dataset))))


def _files(stored: StoredModel, path: Path) -> Samples:
    reading = factory.image_reading(stored.config)
    files = find_images([path], None).sources

    def read(index: int) -> ParitySample:
        return ParitySample(str(files[index]), read_image(files[index], reading=reading))

    return Samples(read, tuple(range(len(files))))
