"""How the masks of a data set are stored: as ids, or in colours that stand for ids.

Every data set has one code. Whatever looks at its masks does so through it: samples, the index of
headers, the cache, `data inspect`. What sceneparse writes are always plain masks of ids.
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

from sceneparse.data.io.decode import mask_size, opened, read_mask
from sceneparse.errors import InputError
from sceneparse.labels import Color, Mask


class MaskCode(Protocol):
    """A way to store masks; two that are equal read the same ids from a file."""

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that it is a mask of this kind.

        Raises:
            InputError: If it is none.
        """
        ...

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`, uint8 or uint16.

        Raises:
            InputError: If the file is broken, or no mask of this kind.
        """
        ...


@dataclass(frozen=True)
class PlainIds:
    """One id per pixel: grey or palette, 8 or 16 bits."""

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that it holds ids."""
        return mask_size(path)

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`."""
        return read_mask(path)


@dataclass(frozen=True)
class ColorTable:
    """A colour for each id.

    Attributes:
        colors: Distinct RGB triples in 0..255.
        ids: The raw id that each stands for.
    """

    colors: tuple[Color, ...]
    ids: tuple[int, ...]

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that it holds colours."""
        with _opened_colors(path) as image:
            return image.height, image.width

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`.

        Raises:
            InputError: If the file is broken, holds no colours, or one that is not in the table.
        """
        codes = _codes(_read_colors(path))
        keys, ids = self._table
        places = np.searchsorted(keys, codes).clip(max=len(keys) - 1)
        unknown = keys[places] != codes
        if unknown.any():
            found = ", ".join(str(_triple(int(code))) for code in np.unique(codes[unknown])[:3])
            raise InputError(
                f"{path}: colours {found} in {int(unknown.sum())} pixels stand for no class; "
                "masks must have the exact colours, without smoothing or loss; get the file anew"
            )
        return ids[places]

    @cached_property
    def _table(self) -> tuple[NDArray[np.uint32], Mask]:
        """Colours as sorted numbers, with the id of each."""
        codes = _codes(np.array(self.colors, np.uint8))
        order = np.argsort(codes)
        dtype = np.uint8 if max(self.ids) <= 255 else np.uint16
        return codes[order], np.array(self.ids, dtype)[order]


@dataclass(frozen=True)
class RedAndGreen:
    """The id in two channels, `R // 10 * 256 + G`; blue tells instances apart, and is not read."""

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check that it holds colours."""
        with _opened_colors(path) as image:
            return image.height, image.width

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`, uint16."""
        colors = _read_colors(path)
        return colors[..., 0].astype(np.uint16) // 10 * 256 + colors[..., 1]


PLAIN = PlainIds()


@contextmanager
def _opened_colors(path: Path) -> Generator[Image.Image]:
    with opened(path) as image:
        if image.format == "JPEG":
            raise InputError(
                f"{path}: a JPEG mask; JPEG changes colours, so classes do not survive it; get the "
                "PNG that was published"
            )
        if image.mode != "RGB":
            raise InputError(
                f"{path}: mode {image.mode}; expected a mask of 8-bit RGB colours, as this data "
                "set is published; a mask of ids belongs into a `folder` data set"
            )
        yield image


def _read_colors(path: Path) -> NDArray[np.uint8]:
    with _opened_colors(path) as image:
        return np.array(image)


def _codes(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Turn colours `(..., 3)` into numbers of 24 bits."""
    wide = colors.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], np.uint32)


def _triple(code: int) -> Color:
    return code >> 16, code >> 8 & 255, code & 255
