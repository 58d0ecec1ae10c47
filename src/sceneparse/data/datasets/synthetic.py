"""Generated scenes as a data set, rendered on access, with exact masks and without files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from PIL import Image

from sceneparse.data.dataset import Sample
from sceneparse.errors import InputError
from sceneparse.labels import Labels, ade20k_labels
from sceneparse.system.settings import PositiveInt, Side, settings

# First scene of each split, so far apart that splits of one seed share no scene.
_FIRST_INDEX = {"training": 0, "validation": 1_000_000_000}


@settings
class SyntheticData:
    """Scenes drawn on the fly in classes of ADE20K."""

    training_images: PositiveInt = 400
    """Scenes to train on."""
    validation_images: PositiveInt = 50
    """Scenes to validate on."""
    height: Side = 256
    """Height of each scene in pixels."""
    width: Side = 256
    """Width of each scene in pixels."""
    seed: Annotated[int, Ge(0)] = 0
    """Which scenes; independent of the seed of the run."""


@dataclass(frozen=True)
class SyntheticScenes:
    """Generated scenes with classes of ADE20K.

    Attributes:
        images: Number of scenes.
        height: Height of a scene in pixels.
        width: Width of a scene in pixels.
        seed: Seed of the scenes: each scene is a function of seed and index.
        first_index: Index of the first scene.
    """

    images: int
    height: int
    width: int
    seed: int
    first_index: int = 0

    @property
    def labels(self) -> Labels:
        """The classes of ADE20K."""
        return ade20k_labels()

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each scene, unique over all seeds, indices and sizes."""
        first = self.first_index
        return tuple(
            f"scene_{self.seed}_{index}_{self.height}x{self.width}"
            for index in range(first, first + self.images)
        )

    def __len__(self) -> int:
        """Return the number of scenes."""
        return self.images

    def __getitem__(self, index: int) -> Sample:
        """Draw one scene.

        Raises:
            IndexError: If the index is out of range.
        """
        if not 0 <= index < self.images:
            raise IndexError(index)
        # Every command reads settings of data, and few draw scenes.
        from sceneparse.scenes import draw_scene

        image, raw = draw_scene(self.seed, self.first_index + index, self.height, self.width)
        return Sample(image, self.labels.encode(raw), f"scene_{index:06d}")

    def read_reduced(self, index: int, height: int, width: int) -> Sample:  # noqa: ARG002
        """Draw one scene, at full size."""
        return self[index]


def synthetic(split: str, images: int, size: tuple[int, int], seed: int) -> SyntheticScenes:
    """Return one split of generated scenes.

    Args:
        split: `training` or `validation`.
        images: Number of scenes.
        size: Height and width in pixels.
        seed: Seed of the scenes.

    Raises:
        InputError: If the split is unknown.
    """
    if split not in _FIRST_INDEX:
        raise InputError(f"split `{split}`: unknown; generated scenes have training and validation")
    return SyntheticScenes(images, *size, seed, _FIRST_INDEX[split])


def write_scene(scenes: SyntheticScenes, index: int, split: str, root: Path) -> None:
    """Write one scene as files in the layout of `ADEChallengeData2016`.

    The image is a PNG file, so that reading it gives the same pixels.
    """
    sample = scenes[index]
    for kind, pixels in (
        ("images", sample.image),
        ("annotations", scenes.labels.decode(sample.mask)),
    ):
        folder = root / kind / split
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{sample.name}.png")
