"""Mask encodings: how mask files store raw ids, as values or as colours.

Each data set has one encoding, and all code reads its mask files through it. The masks that
sceneparse writes always store plain ids.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.masks import mask_size, read_mask
from sceneparse.data.io.opening import open_image
from sceneparse.errors import InputError
from sceneparse.labels import Color, Mask


class MaskEncoding(Protocol):
    """How mask files store raw ids; equal encodings read the same ids from a file."""

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check the format of the mask.

        Raises:
            InputError: If the file is not a mask of this encoding.
        """
        ...

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`, uint8 or uint16.

        Raises:
            InputError: If the file is broken, or not a mask of this encoding.
        """
        ...


@dataclass(frozen=True)
class PlainIds:
    """One id per pixel, in a grey or palette image of 8 or 16 bits."""

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that the mask holds ids."""
        return mask_size(path)

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`."""
        return read_mask(path)


@dataclass(frozen=True)
class ColorTable:
    """One colour per id.

    Attributes:
        colors: Distinct RGB triples in 0..255.
        ids: Raw id of each colour.
    """

    colors: tuple[Color, ...]
    ids: tuple[int, ...]

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that the mask holds colours."""
        with _open_color_mask(path) as image:
            return image.height, image.width

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`.

        Raises:
            InputError: If the file is broken, is no RGB image, or holds unknown colours.
        """
        packed_colors = _pack_colors(_read_colors(path))
        sorted_colors, ids = self._sorted_table
        positions = np.searchsorted(sorted_colors, packed_colors).clip(max=len(sorted_colors) - 1)
        unknown = sorted_colors[positions] != packed_colors
        if unknown.any():
            found = ", ".join(
                str(_unpack_color(int(packed_color)))
                for packed_color in np.unique(packed_colors[unknown])[:3]
            )
            raise InputError(
                f"{path}: unknown colours {found} in {int(unknown.sum())} pixels; expected the "
                "exact colours of the classes, without smoothing or loss; download the file again"
            )
        return ids[positions]

    @cached_property
    def _sorted_table(self) -> tuple[NDArray[np.uint32], Mask]:
        """The colours as sorted 24-bit integers, and the id of each."""
        packed_colors = _pack_colors(np.array(self.colors, np.uint8))
        order = np.argsort(packed_colors)
        dtype = np.uint8 if max(self.ids) <= 255 else np.uint16
        return packed_colors[order], np.array(self.ids, dtype)[order]


@dataclass(frozen=True)
class RedAndGreen:
    """The id in the red and green channels, `R // 10 * 256 + G`; blue, the instance, is ignored."""

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that the mask holds colours."""
        with _open_color_mask(path) as image:
            return image.height, image.width

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`, uint16."""
        colors = _read_colors(path)
        return colors[..., 0].astype(np.uint16) // 10 * 256 + colors[..., 1]


PLAIN_IDS = PlainIds()


@contextmanager
def _open_color_mask(path: Path) -> Generator[Image.Image]:
    with open_image(path) as image:
        if image.format == "JPEG":
            raise InputError(
                f"{path}: a JPEG mask; expected PNG, since JPEG changes the colours; get the "
                "published PNG"
            )
        if image.mode != "RGB":
            raise InputError(
                f"{path}: mode {image.mode}; expected a mask of 8-bit RGB colours, as this data "
                "set is published; put masks of ids into a `folder` data set"
            )
        yield image


def _read_colors(path: Path) -> NDArray[np.uint8]:
    with _open_color_mask(path) as image:
        return np.array(image)


def _pack_colors(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Pack RGB colours `(..., 3)` into 24-bit integers `(...)`."""
    channels = colors.astype(np.uint32)
    return np.asarray(channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2], np.uint32)


def _unpack_color(packed_color: int) -> Color:
    return packed_color >> 16, packed_color >> 8 & 255, packed_color & 255
