"""Logits at the size of the output, a tile at a time, so that the big tensor is never made.

Bilinear upsampling of a tile is two small matrix products. Tiles have the layout `(R, C, K)`, rows,
classes, columns: what is reduced over the classes then runs along memory.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# Bytes of fp32 logits in a tile: a CPU wants them in its cache, a GPU wants work for every unit.
TILE_BYTES = {"cpu": 3 * 2**20}
TILE_BYTES_ACCELERATOR = 256 * 2**20
# Columns of a tile on a CPU: narrow ones touch few cells, whose products are then small.
TILE_COLUMNS = {"cpu": 128}
# Where rows are mixed group by group, in cache. Elsewhere each group would be a launch, hundreds of
# them in a tile; one product for all rows, mostly with zeros, is one.
MIXES_GROUPS = {"cpu"}
# Softmax is taken of logits in bits: exp2 is two to three times as fast as exp.
BITS_PER_NAT = 1 / math.log(2)
# The sum of the numbers of so many classes is exact in fp32, in whatever order it is taken.
_MOST_EXACT = 5793


def interpolation_matrix(size: int, cells: int, covered: float) -> Tensor:
    """Return the weights `(size, cells)` that resize a row of cells bilinearly.

    Pixel centres are at half-integers, as in `F.interpolate(..., align_corners=False)`, to which
    this is equal where `covered == cells`.

    Args:
        size: Number of output pixels.
        cells: Number of input cells.
        covered: How many of the cells, counted from the first and fractions included, the output
            spans; the rest lie beyond the image and only serve as neighbours.
    """
    return _weights(*_positions(size, cells, covered), cells)


def _weights(first: Tensor, share: Tensor, cells: int) -> Tensor:
    """Return what each pixel takes of each cell: a share of the one after its first."""
    matrix = torch.zeros(len(first), cells, dtype=torch.float64)
    pixel = torch.arange(len(first))
    matrix[pixel, first] = 1 - share
    matrix[pixel, (first + 1).clamp(max=cells - 1)] += share
    return matrix.float()


def _positions(size: int, cells: int, covered: float) -> tuple[Tensor, Tensor]:
    """Return for each pixel the first of its two cells, and what it takes of the second."""
    position = (torch.arange(size, dtype=torch.float64) + 0.5) * (covered / size) - 0.5
    position = position.clamp(0, cells - 1)
    first = position.floor().clamp(max=max(cells - 2, 0))
    return first.long(), position - first


class RowGroup(NamedTuple):
    """Neighbouring rows of the output that lie between the same two rows of cells.

    Attributes:
        pixels: The rows, counted within their tile.
        upper: The upper row of cells, counted within the cells of the tile.
        lower: The lower one.
        share: What each row takes of the lower one, `(rows, 1, 1)`.
        both: What each takes of the upper and of the lower one, `(2, rows)`.
    """

    pixels: slice
    upper: int
    lower: int
    share: Tensor
    both: Tensor


class Rows(NamedTuple):
    """Rows of a tile.

    Attributes:
        pixels: Where they lie in the output.
        cells: The rows of cells that they are mixed from.
        groups: How, where that is done group by group.
        mix: How, where it is one product: weights `(pixels, cells)`.
    """

    pixels: slice
    cells: slice
    groups: tuple[RowGroup, ...]
    mix: Tensor | None


class Columns(NamedTuple):
    """Columns of a tile.

    Attributes:
        pixels: Where they lie in the output.
        cells: The columns of cells that they are mixed from.
        mix: How: weights `(cells, pixels)`.
    """

    pixels: slice
    cells: slice
    mix: Tensor


class Tile(NamedTuple):
    """A rectangle of the output and how it is mixed from cells.

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

    def upsampled(self, cells: Tensor) -> Tensor:
        """Mix cells of an image `(h, C, w)` into the logits of the tile `(R, C, K)`."""
        wide = cells[self.rows.cells, :, self.columns.cells] @ self.columns.mix
        if self.rows.mix is not None:
            return (self.rows.mix @ wide.flatten(1)).view(-1, *wide.shape[1:])
        pixels = self.rows.pixels
        logits = wide.new_empty(pixels.stop - pixels.start, *wide.shape[1:])
        for group in self.rows.groups:
            upper, lower = wide[group.upper], wide[group.lower]
            torch.lerp(upper, lower, group.share, out=logits[group.pixels])
        return logits

    def add_downsampled_(self, grad_cells: Tensor, gradient: Tensor) -> None:
        """Add a gradient at the tile's pixels `(R, C, K)` to that of the cells `(h, C, w)`."""
        rows, columns = self.rows, self.columns
        flat = gradient.flatten(1)
        tall = self._tall(flat) if rows.mix is None else rows.mix.T @ flat
        narrow = tall.view(-1, *gradient.shape[1:]) @ columns.mix.T
        grad_cells[rows.cells, :, columns.cells] += narrow

    def _tall(self, flat: Tensor) -> Tensor:
        """Add a gradient `(R, C · K)` to rows of cells `(h, C · K)`, group by group."""
        rows = self.rows
        tall = flat.new_zeros(rows.cells.stop - rows.cells.start, flat.shape[1])
        for group in rows.groups:
            part = flat[group.pixels]
            if group.lower == group.upper + 1:
                tall[group.upper : group.lower + 1].addmm_(group.both, part)
            else:
                tall[group.upper] += group.both.sum(dim=0) @ part
        return tall


def tiles(
    size: tuple[int, int],
    cells: tuple[int, int],
    covered: tuple[float, float],
    num_classes: int,
    device: torch.device,
    most_bytes: int | None = None,
) -> list[Tile]:
    """Cut an output into tiles, each with the few cells that it needs.

    Args:
        size: Height and width of the output.
        cells: Rows and columns of cells.
        covered: How many of them the output spans.
        num_classes: Number of classes, C.
        device: Where the tiles are computed, which decides how large they are.
        most_bytes: Of the logits of a tile; none for what suits the device.
    """
    pixels = max(1, (most_bytes or tile_bytes(device)) // (4 * num_classes))
    width = min(size[1], TILE_COLUMNS.get(device.type, size[1]), pixels)
    across = list(_columns(size[1], cells[1], covered[1], width, device))
    down = list(_rows(size[0], cells[0], covered[0], max(1, pixels // width), device))
    return [Tile(rows, columns) for rows in down for columns in across]


def tile_bytes(device: torch.device) -> int:
    """Return how many bytes of logits make a tile that suits a device."""
    return TILE_BYTES.get(device.type, TILE_BYTES_ACCELERATOR)


def _columns(
    size: int, cells: int, covered: float, step: int, device: torch.device
) -> Iterator[Columns]:
    positions = _positions(size, cells, covered)
    for first in range(0, size, step):
        part = slice(first, min(first + step, size))
        left, share = (values[part] for values in positions)
        band = slice(int(left[0]), min(int(left[-1]) + 2, cells))
        weights = _weights(left - band.start, share, band.stop - band.start)
        yield Columns(part, band, weights.T.contiguous().to(device))


def _rows(size: int, cells: int, covered: float, step: int, device: torch.device) -> Iterator[Rows]:
    upper, share = _positions(size, cells, covered)
    for first in range(0, size, step):
        part = slice(first, min(first + step, size))
        base = int(upper[first])
        if device.type not in MIXES_GROUPS:
            band = slice(base, min(int(upper[part][-1]) + 2, cells))
            weights = _weights(upper[part] - base, share[part], band.stop - base)
            yield Rows(part, band, (), weights.to(device))
            continue
        groups = tuple(
            _row_group(slice(start, stop), upper[part] - base, share[part], cells - base, device)
            for start, stop in _runs(upper[part].tolist())
        )
        yield Rows(part, slice(base, base + groups[-1].lower + 1), groups, None)


def _row_group(
    pixels: slice, upper: Tensor, share: Tensor, cells: int, device: torch.device
) -> RowGroup:
    above = int(upper[pixels.start])
    lower = share[pixels].float().to(device)
    return RowGroup(
        pixels=pixels,
        upper=above,
        lower=min(above + 1, cells - 1),
        share=lower[:, None, None],
        both=torch.stack([1 - lower, lower]),
    )


def _runs(values: list[int]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal values start and stop."""
    start = 0
    for place in range(1, len(values) + 1):
        if place == len(values) or values[place] != values[start]:
            yield start, place
            start = place


def argmax(shifted: Tensor) -> Tensor:
    """Find the class `(R, K)` at which logits `(R, C, K)`, less their maximum, are zero.

    On a CPU this is done by a product with the numbers of the classes, four times as fast as
    `argmax` along a dimension that is not the last. The first of several equal classes is taken.
    """
    classes = shifted.shape[1]
    if shifted.device.type != "cpu" or classes > _MOST_EXACT:
        return shifted.argmax(dim=1)
    weights = torch.stack([torch.ones(classes), torch.arange(classes, dtype=torch.float32)])
    # -1 below the maximum, 0 at it; sums of whole numbers this small are exact.
    count, place = (weights @ shifted.sign()).unbind(1)
    if not (count == 1 - classes).all():
        return shifted.argmax(dim=1)
    return (place + weights[1].sum()).long()


def upsample(logits: Tensor, covered: tuple[float, float], size: tuple[int, int]) -> Tensor:
    """Resize logits `(B, C, h, w)` bilinearly to `(B, C, H, W)`.

    Args:
        logits: One value per cell.
        covered: Rows and columns of cells that the output spans.
        size: Height and width of the output.
    """
    height, width = logits.shape[2:]
    if (height, width) == size == covered:
        return logits
    rows = interpolation_matrix(size[0], height, covered[0]).to(logits)
    columns = interpolation_matrix(size[1], width, covered[1]).to(logits)
    return rows @ logits @ columns.T
