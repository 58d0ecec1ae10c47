"""Open the training and validation images of a config."""

from collections.abc import Sequence
from pathlib import Path

from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document, config_of, read_config
from sceneparse.data.cache.format import default_cache_folder, renewal_command
from sceneparse.data.cache.reader import CachedDataset, open_cached_dataset
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.data.datasets.file_data import CacheChoice, PublishedData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.datasets.synthetic import SyntheticData, synthetic
from sceneparse.data.settings import DataSettings
from sceneparse.errors import InputError


def dataset(
    config: DataSettings, split: str, root: Path | None = None, *, to_learn: bool = False
) -> Dataset:
    """Open one split of a data set.

    Args:
        config: Settings of the data set.
        split: `training`, `validation`, or another split of the data set.
        root: Folder to use instead of the one in the config.
        to_learn: Whether the images are for training: then a cache that the config names must
            exist, and it may hold reduced images. Scores are never computed on reduced images.

    Raises:
        InputError: If files are missing or broken.
    """
    match config:
        case SyntheticData():
            if root is not None:
                return ade20k(root, split)
            training = split == "training"
            images = config.training_images if training else config.validation_images
            return synthetic(split, images, (config.height, config.width), config.seed)
        case PublishedData() | FolderData():
            files = config.files(split, root)
            if isinstance(config, PublishedData) and root is None:
                limits = {"training": config.training_limit, "validation": config.validation_limit}
                files = files.subsample(limits.get(split))
            return cached(files, config.cache, root or config.root, split, to_learn=to_learn)


def cached(
    files: PairedFiles, choice: CacheChoice, root: Path, split: str, *, to_learn: bool
) -> PairedFiles | CachedDataset:
    """Return a data set that reads from its cache, or the files if no cache fits.

    Raises:
        InputError: If the config names a cache for training that does not exist.
    """
    if choice == "off":
        return files
    named = choice if isinstance(choice, Path) else None
    cached_dataset = open_cached_dataset(files, root, named or default_cache_folder(root))
    if named and to_learn and (cached_dataset is None or not cached_dataset.cached_count):
        raise InputError(
            f"{named}: holds no cache of these {split} images; create it with "
            f"`{renewal_command(root, named, None)}`, or set data.cache=auto"
        )
    if cached_dataset is None:
        return files
    # Reduced images serve only training, and only on request: scores count the pixels of the mask.
    fits = cached_dataset.short_side is None or (named is not None and to_learn)
    return cached_dataset if fits else files


def find_data(path: Path, overrides: Sequence[str] = ()) -> PublishedData | FolderData:
    """Return the settings of a data set.

    Args:
        path: Folder of the data set, whose kind is recognised, or config of a run, which names
            the data set and its options.
        overrides: `data.field=value`, each laid over these settings.

    Raises:
        InputError: If the config or an override is wrong, the config names generated scenes, or
            the folder holds no data set.
    """
    if path.suffix.lower() not in (".yaml", ".yml") or path.is_dir():
        # A folder whose kind or format is named need not be recognised.
        is_named = any(text.startswith(("data.kind=", "data.format=")) for text in overrides)
        found = FolderData(root=path) if is_named else recognise(path) or FolderData(root=path)
        if not overrides:
            return found
        data = config_of(config_document(RunConfig(data=found)), str(path), overrides).data
    else:
        data = read_config(path, overrides).data
    if isinstance(data, SyntheticData):
        raise InputError(
            f"{path}: its scenes are generated during training, expected images in files; write "
            "scenes to files with `sceneparse data synth`, and give their folder"
        )
    return data
