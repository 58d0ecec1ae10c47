"""The data set protocol, and data sets of paired image and mask files."""

import hashlib
import json
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.decode import IMAGE_SUFFIXES, JPEG_DIVISORS, image_size, read_image
from sceneparse.data.io.mask_encodings import PLAIN_IDS, MaskEncoding
from sceneparse.data.io.masks import MASK_SUFFIXES
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask

# Cache name of data sets whose files are not split into folders.
UNSPLIT = "all"


class Sample(NamedTuple):
    """An image with its mask.

    Attributes:
        image: RGB image `(H, W, 3)` in 0..255.
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
    """A data set of image files and mask files.

    Attributes:
        images: Image file of each sample.
        masks: Mask file of each sample.
        labels: The classes, with their raw ids in the masks.
        cache_name: Name of the cache files of this split; it contains the choice of classes if
            the data set offers several.
        mask_encoding: How the mask files store raw ids.
    """

    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    labels: Labels
    cache_name: str = UNSPLIT
    mask_encoding: MaskEncoding = PLAIN_IDS

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            InputError: If a file is broken, the sizes differ, or the mask holds unknown ids.
        """
        image = read_image(self.images[index])
        mask = self.mask(index)
        _check_sizes(self.images[index], image.shape[:2], self.masks[index], mask.shape)
        return Sample(image, mask, self.images[index].stem)

    def mask(self, index: int) -> Mask:
        """Read the mask `(H, W)` of one sample as train ids.

        Raises:
            InputError: If the file is broken, or holds unknown ids.
        """
        return read_annotation(self.masks[index], self.labels, self.mask_encoding)

    def read_reduced(self, index: int, height: int, width: int) -> Sample:
        """Read one sample; decode a JPEG at the lowest resolution that has the minimum size.

        Raises:
            InputError: If a file is broken, the sizes do not fit, or the mask holds unknown ids.
        """
        image = read_image(self.images[index], (height, width))
        mask = self.mask(index)
        scales = (tuple(-(-side // scale) for side in mask.shape) for scale in JPEG_DIVISORS)
        if image.shape[:2] not in scales:
            _check_sizes(self.images[index], image.shape[:2], self.masks[index], mask.shape)
        return Sample(image, mask, self.images[index].stem)

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
            masks=tuple(self.masks[index] for index in indices),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each sample."""
        return tuple(path.stem for path in self.images)

    @property
    def mask_digest(self) -> str:
        """Digest of all that determines the train ids of a mask file."""
        ids = json.dumps([self.labels.raw_ids, self.labels.ignored_ids])
        if self.mask_encoding != PLAIN_IDS:
            # Caches store the digest: renaming an encoding class or its fields invalidates them.
            ids += repr(self.mask_encoding)
        return hashlib.sha256(ids.encode()).hexdigest()

    def check_headers(self, index: int) -> tuple[int, int]:
        """Check the file types and sizes of one sample without decoding its pixels.

        Returns:
            Height and width of the image and the mask.

        Raises:
            InputError: If a file is not of the expected type, or the sizes differ.
        """
        image, mask = self.images[index], self.masks[index]
        size = image_size(image)
        _check_sizes(image, size, mask, self.mask_encoding.size(mask))
        return size


def read_annotation(path: Path, labels: Labels, mask_encoding: MaskEncoding = PLAIN_IDS) -> Mask:
    """Read a mask file as train ids `(H, W)`.

    Raises:
        InputError: If the file is broken, has another encoding, or holds unknown ids.
    """
    raw = mask_encoding.read(path)
    try:
        return labels.encode(raw)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


class FilesByName(NamedTuple):
    """The image files or the mask files of a split, by name.

    Attributes:
        folder: Folder of the files, for messages.
        files: Path by name; an image and its mask have the same name.
    """

    folder: Path
    files: Mapping[str, Path]


def pair_folders(
    images: Path, masks: Path, labels: Labels, cache_name: str = UNSPLIT
) -> PairedFiles:
    """Pair the images of one folder with the masks of another by name.

    Raises:
        InputError: If a folder is missing or empty, an image has no mask, or a mask no image.
    """
    return pair_by_name(
        FilesByName(images, files_by_stem(images, IMAGE_SUFFIXES)),
        FilesByName(masks, files_by_stem(masks, MASK_SUFFIXES)),
        labels,
        cache_name,
    )


def pair_by_name(
    images: FilesByName,
    masks: FilesByName,
    labels: Labels,
    cache_name: str,
    mask_encoding: MaskEncoding = PLAIN_IDS,
) -> PairedFiles:
    """Pair images with masks by name.

    Raises:
        InputError: If an image has no mask, or a mask no image.
    """
    image_paths, mask_paths = images.files, masks.files
    _check_all_paired(
        image_paths, mask_paths, "image", f"a mask of the same name in {masks.folder}"
    )
    _check_all_paired(
        mask_paths, image_paths, "mask", f"an image of the same name in {images.folder}"
    )
    names = sorted(image_paths)
    return PairedFiles(
        images=tuple(image_paths[name] for name in names),
        masks=tuple(mask_paths[name] for name in names),
        labels=labels,
        cache_name=cache_name,
        mask_encoding=mask_encoding,
    )


def files_by_stem(
    folder: Path, suffixes: frozenset[str], only: Container[str] | None = None
) -> dict[str, Path]:
    """List the files of a folder, by name without suffix; hidden files are left out.

    Args:
        folder: The folder.
        suffixes: Accepted suffixes, in lower case.
        only: Accepted names; none for all.

    Raises:
        InputError: If the folder does not exist, has no such file, or a name occurs twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{subfolder_hint(folder.parent)}")
    files: dict[str, Path] = {}
    # Sorting and splitting names as text is several times as fast as with paths.
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        stem, dot, ending = name.rpartition(".")
        is_wanted = only is None or stem in only
        if dot + ending.lower() not in suffixes or name.startswith(".") or not is_wanted:
            continue
        if stem in files:
            raise InputError(
                f"{folder / name}: {files[stem].name} has the same name with another suffix; "
                "remove or rename one of them"
            )
        files[stem] = folder / name
    if not files and only is None:
        endings = ", ".join(sorted(suffixes))
        raise InputError(f"{folder}: no files that end in {endings}{subfolder_hint(folder)}")
    return files


def subfolder_hint(folder: Path) -> str:
    """Return the part of a message that lists the subfolders of a folder."""
    names = sorted(path.name for path in folder.glob("*/"))
    return f"; the folders in {folder}: {', '.join(names[:5])}" if names else ""


def _check_all_paired(
    files: Mapping[str, Path], others: Mapping[str, Path], what: str, missing: str
) -> None:
    unpaired = [path for stem, path in files.items() if stem not in others]
    if unpaired:
        more = f" (and {len(unpaired) - 1} more)" if len(unpaired) > 1 else ""
        raise InputError(
            f"{unpaired[0]}: {what} without {missing}{more}; add it or remove this one"
        )


def _check_sizes(
    image: Path, image_shape: tuple[int, ...], mask: Path, mask_shape: tuple[int, ...]
) -> None:
    if tuple(image_shape) != tuple(mask_shape):
        raise InputError(
            f"{mask}: {mask_shape[1]}×{mask_shape[0]} pixels, but {image.name} has "
            f"{image_shape[1]}×{image_shape[0]} (width × height); "
            "replace the mask by one of the size of its image"
        )
