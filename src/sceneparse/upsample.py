"""Bilinear upsampling of logits as two small matrix products, for any part of the output."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


def interpolation_matrix(size: int, cells: int, covered: float) -> Tensor:
    """Return the weights `(size, cells)` that resize a row of cells bilinearly.

    Pixel centres are at half-integers, as in `F.interpolate(..., align_corners=False)`, to which
    this is equal where `covered == cells`.

    Args:
        size: Number of output pixels.
        cells: Number of input cells.
        covered: How many of the cells, counted from the first and fractions included, the output
            spans; the rest lie beyond the picture and only serve as neighbours.
    """
    position = (torch.arange(size, dtype=torch.float64) + 0.5) * (covered / size) - 0.5
    position = position.clamp(0, cells - 1)
    below = position.floor().clamp(max=max(cells - 2, 0))
    share = position - below
    matrix = torch.zeros(size, cells, dtype=torch.float64)
    row = torch.arange(size)
    matrix[row, below.long()] = 1 - share
    matrix[row, (below.long() + 1).clamp(max=cells - 1)] += share
    return matrix.float()


class RowStrip(NamedTuple):
    """A few rows of the output and the rows of cells that they are mixed from.

    Attributes:
        part: Rows of the output.
        band: Rows of cells.
        mix: Weights `(rows of the part, rows of the band)`.
    """

    part: slice
    band: slice
    mix: Tensor


def row_strips(height: int, cells: int, covered: float, rows: int) -> Iterator[RowStrip]:
    """Cut the rows of an output into strips, each with the few rows of cells that it needs.

    Args:
        height: Rows of the output.
        cells: Rows of cells.
        covered: How many of them the output spans.
        rows: Rows of a strip.
    """
    matrix = interpolation_matrix(height, cells, covered)
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        used = matrix[part].any(dim=0).nonzero()
        band = slice(int(used[0]), int(used[-1]) + 1)
        yield RowStrip(part, band, matrix[part, band])


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
