"""The data set protocol, and data sets of paired image and mask files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.annotation import Annotation
from sceneparse.data.io.decode import (
    DEFAULT_READING,
    JPEG_DIVISORS,
    ImageHeader,
    ImageReading,
    image_header,
    read_image,
)
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask

# Cache name of data sets whose files are not split into folders.
UNSPLIT = "all"


class Sample(NamedTuple):
    """An image with its mask.

    Attributes:
        image: RGB image `(H, W, 3)` in 0..255, or the chosen bands of a file `(H, W, B)`.
        mask: Train ids `(H, W)`.
        name: Name of the sample, unique in its split.
    """

    image: NDArray[np.uint8]
    mask: Mask
    name: str


class Dataset(Protocol):
    """Samples by index; the same index always gives the same sample."""

    @property
    def labels(self) -> Labels:
        """The classes of the masks."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Name of each sample, unique."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        ...

    def read_reduced(self, index: int, height: int, width: int) -> Sample:
        """Return a sample whose image may have a lower resolution than its mask.

        Args:
            index: Index of the sample.
            height: Minimum height of the image; an image that is smaller keeps its height.
            width: Minimum width of the image; an image that is narrower keeps its width.
        """
        ...


@dataclass(frozen=True)
class PairedFiles:
    """A data set of image files and their annotations.

    Attributes:
        images: Image file of each sample.
        annotations: The mask file, or the shapes, of each sample.
        names: Name of each sample, unique.
        labels: The classes, with their raw ids in the masks.
        cache_name: Name of the cache files of this split; it contains the choice of classes if
            the data set offers several.
        annotation_kind: What determines the raw ids besides the content of the files, such as the
            encoding of the masks; caches are valid for one kind.
        reading: How image files become arrays.
        notes: What a user should know about how the files were found.
    """

    images: tuple[Path, ...]
    annotations: tuple[Annotation, ...]
    names: tuple[str, ...]
    labels: Labels
    cache_name: str = UNSPLIT
    annotation_kind: str = ""
    reading: ImageReading = DEFAULT_READING
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            InputError: If a file is broken, the sizes differ, or the mask holds unknown ids.
        """
        image = read_image(self.images[index], reading=self.reading)
        mask = self.mask(index)
        _check_sizes(self.images[index], image.shape[:2], self.annotations[index].path, mask.shape)
        return Sample(image, mask, self.names[index])

    def mask(self, index: int) -> Mask:
        """Read the mask `(H, W)` of one sample as train ids.

        Raises:
            InputError: If the file is broken, or holds unknown ids.
        """
        return read_train_ids(self.annotations[index], self.labels)

    def read_reduced(self, index: int, height: int, width: int) -> Sample:
        """Read one sample; decode a JPEG at the lowest resolution that has the minimum size.

        Raises:
            InputError: If a file is broken, the sizes do not fit, or the mask holds unknown ids.
        """
        image = read_image(self.images[index], (height, width), self.reading)
        mask = self.mask(index)
        scales = (tuple(-(-side // scale) for side in mask.shape) for scale in JPEG_DIVISORS)
        if image.shape[:2] not in scales:
            _check_sizes(
                self.images[index], image.shape[:2], self.annotations[index].path, mask.shape
            )
        return Sample(image, mask, self.names[index])

    def subsample(self, max_samples: int | None) -> "PairedFiles":
        """Return at most `max_samples` evenly spaced samples; none for all."""
        if max_samples is None or max_samples >= len(self):
            return self
        return self.select([index * len(self) // max_samples for index in range(max_samples)])

    def select(self, indices: Sequence[int]) -> "PairedFiles":
        """Return the data set of the samples with the given indices."""
        return replace(
            self,
            images=tuple(self.images[index] for index in indices),
            annotations=tuple(self.annotations[index] for index in indices),
            names=tuple(self.names[index] for index in indices),
        )

    @property
    def mask_digest(self) -> str:
        """Digest of all that determines train ids, besides the content of the files."""
        ids = json.dumps([self.labels.raw_ids, self.labels.ignored_ids]) + self.annotation_kind
        return hashlib.sha256(ids.encode()).hexdigest()

    def check_headers(self, index: int) -> ImageHeader:
        """Check the file types and sizes of one sample without decoding its pixels.

        Returns:
            The header of the image.

        Raises:
            InputError: If a file is not of the expected type, or the sizes differ.
        """
        header = image_header(self.images[index], self.reading)
        self.check_sizes(index, header, self.annotations[index].size())
        return header

    def check_sizes(self, index: int, header: ImageHeader, mask_size: tuple[int, ...]) -> None:
        """Check that an image, as it is read, has the size of its mask.

        Args:
            index: Index of the sample.
            header: Header of the image.
            mask_size: Height and width of the mask.

        Raises:
            InputError: If the sizes differ.
        """
        image, mask = self.images[index], self.annotations[index].path
        stored = (header.height, header.width)
        if header.orientation != 1 and header.size(self.reading) != mask_size == stored:
            raise InputError(
                f"{image}: turned by its EXIF orientation {header.orientation}, but its mask "
                f"{mask.name} has the size of the stored pixels, {stored[1]}×{stored[0]}; if the "
                "masks were drawn on the stored pixels, set data.exif_orientation=ignore; else "
                "turn the masks as the images are shown"
            )
        _check_sizes(image, header.size(self.reading), mask, mask_size)


def read_train_ids(annotation: Annotation, labels: Labels) -> Mask:
    """Read an annotation as train ids `(H, W)`.

    Raises:
        InputError: If the file is broken, of another kind than expected, or holds unknown ids.
    """
    raw = annotation.read()
    try:
        return labels.encode(raw)
    except InputError as error:
        raise InputError(f"{annotation.path}: {error}") from None


def _check_sizes(
    image: Path, image_shape: tuple[int, ...], mask: Path, mask_shape: tuple[int, ...]
) -> None:
    if tuple(image_shape) != tuple(mask_shape):
        raise InputError(
            f"{mask}: {mask_shape[1]}×{mask_shape[0]} pixels, but {image.name} has "
            f"{image_shape[1]}×{image_shape[0]} (width × height); "
            "replace the mask by one of the size of its image"
        )
