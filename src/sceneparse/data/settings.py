"""Settings of data sets and of sampling, and the lists of all of them."""

from typing import Annotated

from annotated_types import Gt, Le

from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.camvid import CamVidData
from sceneparse.data.datasets.cityscapes import CityscapesData
from sceneparse.data.datasets.coco_stuff import CocoStuffData
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.pascal_context import PascalContextData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.datasets.voc2012 import Voc2012Data
from sceneparse.system.settings import Kinds, settings

# In the order in which `recognise` tries them: a folder of VOC 2010 matches two layouts.
DATASETS: dict[str, type[PublishedData]] = {
    "ade20k": Ade20kData,
    "cityscapes": CityscapesData,
    "pascal_context": PascalContextData,
    "voc2012": Voc2012Data,
    "coco_stuff": CocoStuffData,
    "camvid": CamVidData,
    "ade20k_full": Ade20kFullData,
}
OWN_DATA: dict[str, type] = {"folder": FolderData, "synthetic": SyntheticData}
DataSettings = PublishedData | FolderData | SyntheticData
DataSection = Annotated[DataSettings, Kinds(DATASETS, OWN_DATA, default="ade20k")]


@settings
class UniformSampling:
    """Each image once in an epoch."""


@settings
class ClassBalancedSampling:
    """Images of rare classes more often (Gupta et al., 2019); an epoch stays as long.

    The training masks are counted once, and the counts kept in your cache folder.
    """

    threshold: Annotated[float, Gt(0), Le(1)] = 0.02
    """Share of images below which a class is rare: a class that a share f of the images holds is
    drawn sqrt(threshold / f) times as often."""


SamplingSettings = UniformSampling | ClassBalancedSampling
SamplingSection = Annotated[
    SamplingSettings,
    Kinds({"uniform": UniformSampling, "class_balanced": ClassBalancedSampling}, default="uniform"),
]
