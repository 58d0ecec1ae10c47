"""What every data set is: images with masks, by index."""

import hashlib
import json
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.decode import (
    IMAGE_SUFFIXES,
    MASK_SUFFIXES,
    REDUCTIONS,
    image_size,
    read_image,
)
from sceneparse.data.io.mask_codes import PLAIN, MaskCode
from sceneparse.errors import InputError
from sceneparse.labels import Labels, Mask

# The part of a data set whose splits lie together.
WHOLE = "all"


class Sample(NamedTuple):
    """An image with its mask.

    Attributes:
        image: RGB `(H, W, 3)` in 0..255.
        mask: Train ids `(H, W)`.
        name: Unique in its split.
    """

    image: NDArray[np.uint8]
    mask: Mask
    name: str


class Dataset(Protocol):
    """Samples by index, each the same whenever it is asked for."""

    @property
    def labels(self) -> Labels:
        """How to read the train ids."""
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

    def reduced(self, index: int, height: int, width: int) -> Sample:
        """Return one sample whose image may be smaller than its mask, yet not below a size.

        Args:
            index: Which sample.
            height: The image has at least so many rows, or as many as there are.
            width: Likewise columns.
        """
        ...


@dataclass(frozen=True)
class PairedFiles:
    """Images and masks in files.

    Attributes:
        images: One file per sample.
        masks: The mask of each.
        labels: How to read the ids in them.
        part: What is kept about the files is kept under this name: that of the split, and of the
            choice of classes where the data set leaves one.
        code: How ids are stored in the masks.
    """

    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    labels: Labels
    part: str = WHOLE
    code: MaskCode = PLAIN

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
        """Read the train ids `(H, W)` of one sample, without its image.

        Raises:
            InputError: If the file is broken, or holds unknown ids.
        """
        return read_annotation(self.masks[index], self.labels, self.code)

    def reduced(self, index: int, height: int, width: int) -> Sample:
        """Read one sample, the image at the smallest scale of its file that is large enough.

        Raises:
            InputError: If a file is broken, the sizes do not fit, or the mask holds unknown ids.
        """
        image = read_image(self.images[index], (height, width))
        mask = self.mask(index)
        scales = (tuple(-(-side // scale) for side in mask.shape) for scale in REDUCTIONS)
        if image.shape[:2] not in scales:
            _check_sizes(self.images[index], image.shape[:2], self.masks[index], mask.shape)
        return Sample(image, mask, self.images[index].stem)

    def limited(self, most: int | None) -> "PairedFiles":
        """Return at most so many of the samples, spread evenly; all of them for none."""
        if most is None or most >= len(self):
            return self
        return self.chosen([place * len(self) // most for place in range(most)])

    def chosen(self, indices: Sequence[int]) -> "PairedFiles":
        """Return the samples of these indices."""
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
    def reading(self) -> str:
        """What tells apart how masks become train ids; names and colours of classes do not."""
        ids = json.dumps([self.labels.raw_ids, self.labels.ignored_ids])
        if self.code != PLAIN:
            ids += repr(self.code)
        return hashlib.sha256(ids.encode()).hexdigest()

    def check_headers(self, index: int) -> tuple[int, int]:
        """Check kind and sizes of one sample without reading its pixels.

        Returns:
            Height and width of both.

        Raises:
            InputError: If they do not fit.
        """
        image, mask = self.images[index], self.masks[index]
        size = image_size(image)
        _check_sizes(image, size, mask, self.code.size(mask))
        return size


def read_annotation(path: Path, labels: Labels, code: MaskCode = PLAIN) -> Mask:
    """Read a mask and turn its raw ids into train ids `(H, W)`.

    Raises:
        InputError: If the file is broken, stored otherwise, or holds ids that are not in the
            labels.
    """
    raw = code.read(path)
    try:
        return labels.encode(raw)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


class Listing(NamedTuple):
    """Files of one kind.

    Attributes:
        folder: Where they lie, for messages.
        files: Each by the name that its partner has too.
    """

    folder: Path
    files: Mapping[str, Path]


def pair_files(images: Path, masks: Path, labels: Labels, part: str = WHOLE) -> PairedFiles:
    """Pair the images of one folder with the masks of another by name.

    Raises:
        InputError: If a folder is missing or empty, an image has no mask, or a mask no image.
    """
    return pair(
        Listing(images, files_by_stem(images, IMAGE_SUFFIXES)),
        Listing(masks, files_by_stem(masks, MASK_SUFFIXES)),
        labels,
        part,
    )


def pair(
    images: Listing, masks: Listing, labels: Labels, part: str, code: MaskCode = PLAIN
) -> PairedFiles:
    """Pair images with masks by name.

    Raises:
        InputError: If an image has no mask, or a mask no image.
    """
    image_of, mask_of = images.files, masks.files
    _check_all_paired(image_of, mask_of, "image", f"a mask of the same name in {masks.folder}")
    _check_all_paired(mask_of, image_of, "mask", f"an image of the same name in {images.folder}")
    names = sorted(image_of)
    return PairedFiles(
        images=tuple(image_of[name] for name in names),
        masks=tuple(mask_of[name] for name in names),
        labels=labels,
        part=part,
        code=code,
    )


def files_by_stem(
    folder: Path, suffixes: frozenset[str], only: Container[str] | None = None
) -> dict[str, Path]:
    """List the files of a folder by their names without endings; hidden ones are left out.

    Args:
        folder: The folder.
        suffixes: Endings to look for, in small letters.
        only: Names to look for; none for all.

    Raises:
        InputError: If there is no such folder, nothing in it, or a name twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{folders_in(folder.parent)}")
    files: dict[str, Path] = {}
    # Names are sorted and split as text: with paths, large folders take several times as long.
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        stem, dot, ending = name.rpartition(".")
        wanted = only is None or stem in only
        if dot + ending.lower() not in suffixes or name.startswith(".") or not wanted:
            continue
        if stem in files:
            raise InputError(
                f"{folder / name}: {files[stem].name} has the same name but for the ending; "
                "which of them is meant is not clear; remove or rename one"
            )
        files[stem] = folder / name
    if not files and only is None:
        endings = ", ".join(sorted(suffixes))
        raise InputError(f"{folder}: no files that end in {endings}{folders_in(folder)}")
    return files


def folders_in(folder: Path) -> str:
    """Say which folders are there instead, for messages."""
    names = sorted(path.name for path in folder.glob("*/"))
    return f"; the folders in {folder}: {', '.join(names[:5])}" if names else ""


def _check_all_paired(
    files: Mapping[str, Path], others: Mapping[str, Path], what: str, missing: str
) -> None:
    alone = [path for stem, path in files.items() if stem not in others]
    if alone:
        more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise InputError(f"{alone[0]}: {what} without {missing}{more}; add it or remove this one")


def _check_sizes(
    image: Path, image_shape: tuple[int, ...], mask: Path, mask_shape: tuple[int, ...]
) -> None:
    if tuple(image_shape) != tuple(mask_shape):
        raise InputError(
            f"{mask}: {mask_shape[1]}×{mask_shape[0]} pixels, but {image.name} has "
            f"{image_shape[1]}×{image_shape[0]} (width × height); "
            "a mask must have the size of its image"
        )
