"""Mask encodings: how mask files store raw ids, as values or as colours.

Each data set has one encoding, and all code reads its mask files through it. The masks that
sceneparse writes always store plain ids.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.masks import check_mask_kind, mask_size, opaque, read_mask
from sceneparse.data.io.opening import open_image
from sceneparse.errors import InputError
from sceneparse.labels import Color, Labels, Mask


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
        ids, unknown = self.ids_of(_read_colors(path))
        if unknown:
            raise InputError(
                f"{path}: unknown colours {_color_list(unknown)}; expected the exact colours of "
                "the classes, without smoothing or loss; download the file again"
            )
        return ids

    def ids_of(self, colors: NDArray[np.uint8]) -> tuple[Mask, dict[Color, int]]:
        """Return the ids of colours, and the colours that have none.

        Args:
            colors: `(H, W, 3)`.

        Returns:
            Ids `(H, W)`, meaningless where the colour is unknown; and how many pixels each of the
            unknown colours has, the most frequent first.
        """
        packed_colors = _pack_colors(colors)
        sorted_colors, ids = self._sorted_table
        positions = np.searchsorted(sorted_colors, packed_colors).clip(max=len(sorted_colors) - 1)
        is_unknown = sorted_colors[positions] != packed_colors
        found, counts = np.unique(packed_colors[is_unknown], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        unknown = {_unpack_color(int(found[i])): int(counts[i]) for i in order}
        return ids[positions], unknown

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


@dataclass(frozen=True)
class IdsOrColors:
    """Ids, or the colours of the classes: whichever a file of your own data holds.

    A palette file is read by its indices, unless its palette gives them the colours of other
    classes; then by the colours, if they name a class everywhere. Editors and optimisers of images
    reorder palettes, and a file that is half one and half the other is refused.

    Attributes:
        colors: RGB triples in 0..255, one per class.
        ids: Id of each class.
        ignored_ids: Ids of unlabelled pixels, which have no colour.
        source: The labels file, for messages.
        only_colors: Whether three channels are always a colour, never equal channels of an id.
    """

    colors: tuple[Color, ...]
    ids: tuple[int, ...]
    ignored_ids: tuple[int, ...] = ()
    source: str = field(default="labels.yaml", compare=False, repr=False)
    only_colors: bool = field(default=False, repr=False)

    @classmethod
    def of(cls, labels: Labels) -> "IdsOrColors":
        """Return the encoding of the masks of these classes."""
        return cls(labels.colors, labels.raw_ids, labels.ignored_ids, labels.source)

    def size(self, path: Path) -> tuple[int, int]:
        """Read height and width from the header, and check the format of the mask."""
        return mask_size(path)

    def read(self, path: Path) -> Mask:
        """Read raw ids `(H, W)`.

        Raises:
            InputError: If the file is broken, holds unknown colours, or may be read in two ways.
        """
        with open_image(path) as image:
            if image.mode in ("RGB", "RGBA"):
                check_mask_kind(path, image)
                return self._ids_of_colors(path, opaque(path, np.array(image)))
            palette = image.getpalette() if image.mode == "P" else None
        ids = read_mask(path)
        if palette is None:
            return ids
        return self._by_palette(path, ids, np.array(palette, np.uint8).reshape(-1, 3))

    @cached_property
    def _id_of_color(self) -> dict[Color, int]:
        """The id of each colour that only one class has."""
        pairs = zip(self.colors, self.ids, strict=True)
        return {color: raw for color, raw in pairs if self.colors.count(color) == 1}

    @cached_property
    def _table(self) -> ColorTable:
        return ColorTable(tuple(self._id_of_color), tuple(self._id_of_color.values()))

    def _by_palette(self, path: Path, indices: Mask, palette: NDArray[np.uint8]) -> Mask:
        used = np.unique(indices).tolist()
        colors: dict[int, Color] = {
            index: (int(palette[index, 0]), int(palette[index, 1]), int(palette[index, 2]))
            for index in used
            if index < len(palette)
        }
        named = {index: self._id_of_color.get(color) for index, color in colors.items()}
        others = {
            index: raw
            for index, raw in named.items()
            if raw is not None and raw != index and index not in self.ignored_ids
        }
        if not others:
            return indices
        by_color = {
            index: index if raw is None and index in self.ignored_ids else raw
            for index, raw in named.items()
        }
        table = np.zeros(256, np.uint16 if max(self.ids) > 255 else np.uint8)
        for index in used:
            raw = by_color.get(index)
            if raw is None:
                other = next(iter(others))
                raise InputError(
                    f"{path}: its palette gives index {other} the colour of class "
                    f"{others[other]}, and index {index} the colour {colors.get(index)}, which is "
                    f"that of no class; write the colour of each class into {self.source}, or "
                    "store the mask as grey ids"
                )
            table[index] = raw
        return table[indices]

    def _ids_of_colors(self, path: Path, colors: NDArray[np.uint8]) -> Mask:
        ids, unknown = self._table.ids_of(colors)
        is_grey = not self.only_colors and bool((colors == colors[..., :1]).all())
        if not is_grey:
            if unknown:
                raise InputError(
                    f"{path}: colours of no class: {_color_list(unknown)}; expected the colours of "
                    f"the classes; write the colour of each class into {self.source}, and store "
                    "masks without smoothing or JPEG"
                )
            return ids
        grey = colors[..., 0]
        known = np.isin(grey, [*self.ids, *self.ignored_ids])
        if not unknown and known.all() and not np.array_equal(ids, grey):
            raise InputError(
                f"{path}: its values may be ids in three equal channels, or grey colours of "
                "classes, and the two differ; store the mask with one channel of ids"
            )
        return grey if unknown else ids


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


def _color_list(colors: dict[Color, int]) -> str:
    """List the most frequent colours, and their pixels."""
    first = ", ".join(f"{color} in {count} pixels" for color, count in list(colors.items())[:3])
    return f"{first} and {len(colors) - 3} more" if len(colors) > 3 else first
