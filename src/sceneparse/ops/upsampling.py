"""Upsample logits bilinearly, by two matrix products: whole, or a tile at a time.

Tile by tile, no tensor of all classes at full size is made; `upsample` returns one. Tiles have the
layout `(R, C, K)` (rows, classes, columns): reductions over the classes then run along contiguous
memory. Their logits and gradients are fp32.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.ops.interpolation import Positions, positions

# Bytes of fp32 logits in a tile: a CPU needs them in its cache, a GPU needs work for every unit.
TILE_BYTES = {"cpu": 3 * 2**20}
TILE_BYTES_ACCELERATOR = 256 * 2**20
# Narrow tiles touch few columns of the feature map, so that their matrix products are small.
TILE_COLUMNS = {"cpu": 128}
# Devices that interpolate rows group by group, in cache. On others each group would be a kernel
# launch, hundreds of them in a tile; one product for all rows, mostly with zeros, is one launch.
ROW_GROUP_DEVICES = {"cpu"}
# Softmax is computed of logits in bits: exp2 is two to three times as fast as exp.
BITS_PER_NAT = 1 / math.log(2)
# The sum 0 + 1 + ... over so many class indices is exact in fp32, in whatever order it is computed.
_MAX_EXACT_CLASSES = 5793


def interpolation_matrix(size: int, source_size: int, covered: float) -> Tensor:
    """Return the weights `(size, source_size)` that upsample one side of a feature map.

    Pixel centres are at half-integers, as in `F.interpolate(..., align_corners=False)`, to which
    this is equal where `covered == source_size`.

    Args:
        size: Number of output pixels.
        source_size: Rows or columns of the feature map.
        covered: How many of them the output covers, counted from the first and fractions included;
            the rest is padding and only serves as a neighbour.
    """
    return torch.from_numpy(positions(size, size, source_size, covered).weights(source_size))


class RowGroup(NamedTuple):
    """Neighbouring output rows that lie between the same two rows of the feature map.

    Attributes:
        pixels: The output rows, counted within their tile.
        upper: The upper row of the feature map, counted within the rows that the tile needs.
        lower: The lower one.
        share: Weight of the lower one for each output row, `(rows, 1, 1)`.
        both: Weights of the upper and of the lower one for each output row, `(2, rows)`.
    """

    pixels: slice
    upper: int
    lower: int
    share: Tensor
    both: Tensor


class Rows(NamedTuple):
    """Rows of a tile, which are interpolated either group by group or by one product.

    Attributes:
        pixels: The output rows.
        sources: The rows of the feature map that they are interpolated from.
        groups: The groups; empty for one product.
        weights: Weights of that product, `(pixels, sources)`; none for groups.
    """

    pixels: slice
    sources: slice
    groups: tuple[RowGroup, ...]
    weights: Tensor | None


class Columns(NamedTuple):
    """Columns of a tile.

    Attributes:
        pixels: The output columns.
        sources: The columns of the feature map that they are interpolated from.
        weights: Weights of the interpolation, `(sources, pixels)`.
    """

    pixels: slice
    sources: slice
    weights: Tensor


class Tile(NamedTuple):
    """A rectangle of the output and how it is interpolated from the feature map.

    Attributes:
        rows: Its rows.
        columns: Its columns.
    """

    rows: Rows
    columns: Columns

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Where the tile lies in the output."""
        return self.rows.pixels, self.columns.pixels

    @property
    def sources(self) -> tuple[slice, slice]:
        """The rows and columns of the feature map that the tile is interpolated from."""
        return self.rows.sources, self.columns.sources

    def upsampled(self, logits: Tensor) -> Tensor:
        """Interpolate the tile `(R, C, K)` from the logits of an image `(h, C, w)`."""
        return self.interpolated(logits[self.rows.sources, :, self.columns.sources])

    def interpolated(self, part: Tensor) -> Tensor:
        """Interpolate the tile `(R, C, K)` from the logits of its sources `(h', C, w')`.

        Autograd does not support this on a CPU, where it goes group by group;
        `accumulate_gradient_` is the backward pass on every device.
        """
        source_rows = part @ self.columns.weights
        if self.rows.weights is not None:
            return (self.rows.weights @ source_rows.flatten(1)).view(-1, *source_rows.shape[1:])
        pixels = self.rows.pixels
        tile = source_rows.new_empty(pixels.stop - pixels.start, *source_rows.shape[1:])
        for group in self.rows.groups:
            upper, lower = source_rows[group.upper], source_rows[group.lower]
            torch.lerp(upper, lower, group.share, out=tile[group.pixels])
        return tile

    def accumulate_gradient_(self, grad_logits: Tensor, gradient: Tensor) -> None:
        """Backpropagate through `upsampled`.

        Args:
            grad_logits: Gradient of the logits of an image, `(h, C, w)`, which is added to.
            gradient: Gradient of the tile, `(R, C, K)`.
        """
        rows, columns = self.rows, self.columns
        flat = gradient.flatten(1)
        if rows.weights is None:
            source_rows = self._gradient_of_source_rows(flat)
        else:
            source_rows = rows.weights.T @ flat
        part = source_rows.view(-1, *gradient.shape[1:]) @ columns.weights.T
        grad_logits[rows.sources, :, columns.sources] += part

    def _gradient_of_source_rows(self, flat: Tensor) -> Tensor:
        """Backpropagate a gradient `(R, C · K)` to the source rows `(h', C · K)`, by groups."""
        rows = self.rows
        total = flat.new_zeros(rows.sources.stop - rows.sources.start, flat.shape[1])
        for group in rows.groups:
            part = flat[group.pixels]
            if group.lower == group.upper + 1:
                total[group.upper : group.lower + 1].addmm_(group.both, part)
            else:
                total[group.upper] += group.both.sum(dim=0) @ part
        return total


def tiles(
    size: tuple[int, int],
    source_size: tuple[int, int],
    covered: tuple[float, float],
    num_classes: int,
    device: torch.device,
    max_bytes: int | None = None,
) -> list[Tile]:
    """Cut an output into tiles, each with the part of the feature map that it needs.

    Args:
        size: Height and width of the output.
        source_size: Height and width of the feature map.
        covered: How many rows and columns of it the output covers.
        num_classes: Number of classes, C.
        device: Where the tiles are computed, which decides how large they are.
        max_bytes: Size of the logits of a tile; None for what suits the device.
    """
    pixels = max(1, (max_bytes or tile_bytes(device)) // (4 * num_classes))
    width = min(size[1], TILE_COLUMNS.get(device.type, size[1]), pixels)
    columns = list(_columns(size[1], source_size[1], covered[1], width, device))
    rows = list(_rows(size[0], source_size[0], covered[0], max(1, pixels // width), device))
    return [Tile(own_rows, own_columns) for own_rows in rows for own_columns in columns]


def tile_bytes(device: torch.device) -> int:
    """Return how many bytes of logits make a tile that suits a device."""
    return TILE_BYTES.get(device.type, TILE_BYTES_ACCELERATOR)


def _columns(
    size: int, source_size: int, covered: float, step: int, device: torch.device
) -> Iterator[Columns]:
    found = positions(size, size, source_size, covered)
    for start in range(0, size, step):
        pixels = slice(start, min(start + step, size))
        sources, within = found.part(pixels, source_size)
        weights = torch.from_numpy(within.weights(sources.stop - sources.start))
        yield Columns(pixels, sources, weights.T.contiguous().to(device))


def _rows(
    size: int, source_size: int, covered: float, step: int, device: torch.device
) -> Iterator[Rows]:
    found = positions(size, size, source_size, covered)
    for start in range(0, size, step):
        pixels = slice(start, min(start + step, size))
        sources, within = found.part(pixels, source_size)
        height = sources.stop - sources.start
        if device.type in ROW_GROUP_DEVICES:
            yield Rows(pixels, sources, tuple(_row_groups(within, height, device)), None)
        else:
            weights = torch.from_numpy(within.weights(height))
            yield Rows(pixels, sources, (), weights.to(device))


def _row_groups(rows: Positions, source_size: int, device: torch.device) -> Iterator[RowGroup]:
    shares = torch.from_numpy(rows.share).float().to(device)
    for start, stop in _runs(rows.first.tolist()):
        upper, share = int(rows.first[start]), shares[start:stop]
        yield RowGroup(
            pixels=slice(start, stop),
            upper=upper,
            lower=min(upper + 1, source_size - 1),
            share=share[:, None, None],
            both=torch.stack([1 - share, share]),
        )


def _runs(values: list[int]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal values start and stop."""
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[start]:
            yield start, index
            start = index


def argmax(shifted: Tensor) -> Tensor:
    """Find the class `(R, K)` at which logits `(R, C, K)`, less their maximum, are zero.

    On a CPU this is a product with the class indices, four times as fast as `argmax` along a
    dimension that is not the last. Of several equal classes it returns the first.
    """
    classes = shifted.shape[1]
    if shifted.device.type != "cpu" or classes > _MAX_EXACT_CLASSES:
        return shifted.argmax(dim=1)
    weights = torch.stack([torch.ones(classes), torch.arange(classes, dtype=torch.float32)])
    # The sign is -1 below the maximum and 0 at it; sums of integers this small are exact.
    count, index = (weights @ shifted.sign()).unbind(1)
    if not (count == 1 - classes).all():
        return shifted.argmax(dim=1)
    return (index + weights[1].sum()).long()


def upsample(logits: Tensor, covered: tuple[float, float], size: tuple[int, int]) -> Tensor:
    """Resize logits `(B, C, h, w)` bilinearly to `(B, C, H, W)`.

    Args:
        logits: Logits on a feature map, which may be padded.
        covered: Rows and columns of it that the output covers.
        size: Height and width of the output.
    """
    height, width = logits.shape[2:]
    if (height, width) == size == covered:
        return logits
    rows = interpolation_matrix(size[0], height, covered[0]).to(logits)
    columns = interpolation_matrix(size[1], width, covered[1]).to(logits)
    return rows @ logits @ columns.T
