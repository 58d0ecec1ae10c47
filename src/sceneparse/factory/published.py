"""From the config of a published data set to its files and its classes."""

from pathlib import Path
from typing import assert_never

from sceneparse.config import (
    Ade20kData,
    Ade20kFullData,
    CamVidData,
    CityscapesData,
    CocoStuffData,
    PascalContextData,
    PublishedDataConfig,
    Voc2012Data,
)
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.data.datasets.ade20k_full import ade20k_full, ade20k_full_labels
from sceneparse.data.datasets.camvid import camvid, camvid_labels
from sceneparse.data.datasets.cityscapes import cityscapes
from sceneparse.data.datasets.coco_stuff import coco_stuff
from sceneparse.data.datasets.pascal_context import pascal_context, pascal_context_labels
from sceneparse.data.datasets.voc2012 import voc2012
from sceneparse.labels import Labels, ade20k_labels, table_labels
from sceneparse.labels.files import read_labels


def published_split(config: PublishedDataConfig, split: str, root: Path) -> PairedFiles:
    """Open one split of a data set, whole.

    Args:
        config: Which data set.
        split: `training` or `validation`, or another that it has.
        root: Its folder.

    Raises:
        InputError: If the files are not as they should be.
    """
    match config:
        case Ade20kData():
            files = ade20k(root, split)
        case CityscapesData():
            files = cityscapes(root, split)
        case Voc2012Data():
            files = voc2012(root, split, augmented=config.augmented)
        case CocoStuffData():
            files = coco_stuff(root, split)
        case CamVidData():
            files = camvid(root, split, config.classes)
        case PascalContextData():
            files = pascal_context(root, split, background=config.background)
        case Ade20kFullData():
            files = ade20k_full(root, split, config.min_images, _given(config))
        case _:
            assert_never(config)
    return files


def published_labels(config: PublishedDataConfig) -> Labels:
    """Return the classes of a data set; where they are known beforehand no file is looked for.

    Raises:
        InputError: If they have to be counted in files that are not as they should be.
    """
    match config:
        case Ade20kData():
            return ade20k_labels()
        case CityscapesData() | Voc2012Data() | CocoStuffData():
            return table_labels(config.kind)
        case CamVidData():
            return camvid_labels(config.classes)
        case PascalContextData():
            return pascal_context_labels(background=config.background)
        case Ade20kFullData():
            root = config.root
            return ade20k_full_labels(root, config.min_images, _given(config))
        case _:
            assert_never(config)


def _given(config: Ade20kFullData) -> Labels | None:
    return read_labels(str(config.labels)) if config.labels else None
