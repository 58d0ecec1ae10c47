"""Published data sets, each in its own layout; their facts are in `docs/datasets.md`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, PositiveInt

from sceneparse.config.section import Section, UserPath


def _switch(value: object) -> object:
    """Undo YAML 1.1, to which a bare `off` is false."""
    return "off" if value is False else value


CacheChoice = Annotated[Literal["auto", "off"] | UserPath, BeforeValidator(_switch)]


class PublishedData(Section):
    """What all of them have."""

    training_limit: PositiveInt | None = None
    """Use at most so many training images, spread evenly; for a quick try."""
    validation_limit: PositiveInt | None = None
    """The same for validation."""
    cache: CacheChoice = "auto"
    """`auto`: pixels that `sceneparse data cache` decoded, if they fit; `off`; or their folder."""


class Ade20kData(PublishedData):
    """ADE20K in the layout of `ADEChallengeData2016`."""

    kind: Literal["ade20k"] = "ade20k"
    root: UserPath = Path("data/ADEChallengeData2016")
    """Folder that holds `images` and `annotations`."""


class CityscapesData(PublishedData):
    """Cityscapes: 19 classes of street scenes."""

    kind: Literal["cityscapes"]
    root: UserPath = Path("data/cityscapes")
    """Folder that holds `leftImg8bit` and `gtFine`."""


class Voc2012Data(PublishedData):
    """Pascal VOC 2012: 20 classes of objects, and background."""

    kind: Literal["voc2012"]
    root: UserPath = Path("data/VOCdevkit/VOC2012")
    """Folder that holds `JPEGImages`, `SegmentationClass` and `ImageSets`."""
    augmented: bool = False
    """Train on the images of `trainaug.txt`, with masks of SBD in `SegmentationClassAug`."""


class CocoStuffData(PublishedData):
    """COCO-Stuff 164k: 80 classes of things and 91 of stuff."""

    kind: Literal["coco_stuff"]
    root: UserPath = Path("data/coco_stuff")
    """Folder that holds `images` and `annotations`, each with `train2017` and `val2017`."""


class CamVidData(PublishedData):
    """CamVid: frames from a driving car."""

    kind: Literal["camvid"]
    root: UserPath = Path("data/CamVid")
    """Folder that holds `train`, `trainannot` and so on, or the original download."""
    classes: Literal[11, 32] = 11
    """11: the version of SegNet; 32: the original, with masks of colours (one of them void)."""


class PascalContextData(PublishedData):
    """Pascal-Context: 59 classes in images of VOC 2010."""

    kind: Literal["pascal_context"]
    root: UserPath = Path("data/VOCdevkit/VOC2010")
    """Folder that holds `JPEGImages`, `SegmentationClassContext` and `ImageSets`."""
    background: bool = False
    """Make what is none of the 59 a class of its own, for scores of 60 classes."""


class Ade20kFullData(PublishedData):
    """The full ADE20K, `ADE20K_2021_17_01`: classes in the thousands."""

    kind: Literal["ade20k_full"]
    root: UserPath = Path("data/ADE20K_2021_17_01")
    """Folder that holds `images/ADE`."""
    min_images: PositiveInt = 20
    """Training images in which an object must occur to be a class; others are ignored."""
    labels: UserPath | None = None
    """A labels.json or labels.yaml whose classes are used instead, in the ids of the data set."""


PublishedDataConfig = (
    Ade20kData
    | CityscapesData
    | Voc2012Data
    | CocoStuffData
    | CamVidData
    | PascalContextData
    | Ade20kFullData
)
