"""The images that a run learns from, and those that it is scored on."""

from pathlib import Path

from sceneparse.config.reading import read_config
from sceneparse.data.cache.format import default_cache_folder, renewal_command
from sceneparse.data.cache.reader import CachedDataset, open_cached_dataset
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.data.datasets.folder import FolderData, folder
from sceneparse.data.datasets.published import CacheChoice, PublishedData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.datasets.synthetic import SyntheticData, synthetic
from sceneparse.data.settings import DataSettings
from sceneparse.errors import InputError


def dataset(
    config: DataSettings, split: str, root: Path | None = None, *, to_learn: bool = False
) -> Dataset:
    """Open one split of a data set.

    Args:
        config: Which data set.
        split: `training` or `validation`, or another that the data set has.
        root: Another folder than the one that the config names.
        to_learn: Whether it is to be learned from: a cache that the config names must then be
            there, and may hold reduced images, which would change a score.

    Raises:
        InputError: If the files are not as they should be.
    """
    match config:
        case FolderData():
            root = root or config.root
            files = folder(root, split, config.validation_share)
            return cached(files, config.cache, root, split, to_learn=to_learn)
        case SyntheticData():
            if root is not None:
                return ade20k(root, split)
            training = split == "training"
            images = config.training_images if training else config.validation_images
            return synthetic(split, images, (config.height, config.width), config.seed)
        case PublishedData():
            limits = {"training": config.training_limit, "validation": config.validation_limit}
            limit = None if root else limits.get(split)
            root = root or config.root
            files = config.open_split(root, split).subsample(limit)
            return cached(files, config.cache, root, split, to_learn=to_learn)


def cached(
    files: PairedFiles, choice: CacheChoice, root: Path, split: str, *, to_learn: bool
) -> PairedFiles | CachedDataset:
    """Return a data set that reads from its cache, or the files themselves where none fits.

    Raises:
        InputError: If a cache is to be learned from that is not there.
    """
    if choice == "off":
        return files
    named = choice if isinstance(choice, Path) else None
    cached_dataset = open_cached_dataset(files, root, named or default_cache_folder(root))
    if named and to_learn and (cached_dataset is None or not cached_dataset.cached_count):
        raise InputError(
            f"{named}: no cache of these {split} images; make it with "
            f"`{renewal_command(root, named, None)}`, or set data.cache=auto"
        )
    if cached_dataset is None:
        return files
    # Reduced images are never used unasked, nor for a score, which counts the mask's own pixels.
    fits = cached_dataset.short_side is None or (named is not None and to_learn)
    return cached_dataset if fits else files


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
