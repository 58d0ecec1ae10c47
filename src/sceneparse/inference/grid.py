"""Values on a grid of cells, brought to another grid over the same image."""

import numpy as np
from numpy.typing import NDArray

Pair = tuple[float, float]


def mixing(
    cells: int, covered: float, from_cells: int, from_covered: float, *, mirrored: bool = False
) -> NDArray[np.float32]:
    """Return the weights `(cells, from_cells)` that resample one side of a grid bilinearly.

    Args:
        cells: Along the new grid.
        covered: How many of them, fractions included, the image takes up; the others lie beyond
            its end.
        from_cells: Along the old grid.
        from_covered: How many of them the image takes up.
        mirrored: Whether the old grid counts from the other end of the image.
    """
    centre = (np.arange(cells) + 0.5) * (from_covered / covered)
    if mirrored:
        centre = from_covered - centre
    position = (centre - 0.5).clip(0, from_cells - 1)
    first = np.floor(position).astype(np.intp).clip(max=max(from_cells - 2, 0))
    weights = np.zeros((cells, from_cells), np.float32)
    place = np.arange(cells)
    weights[place, first] = 1 - (position - first)
    weights[place, (first + 1).clip(max=from_cells - 1)] += position - first
    return weights


def resampled(
    values: NDArray[np.float32],
    covered: Pair,
    size: tuple[int, int],
    new_covered: Pair,
    *,
    mirrored: bool = False,
) -> NDArray[np.float32]:
    """Bring values `(K, h, w)` to another grid, bilinearly.

    Args:
        values: On the old grid.
        covered: Rows and columns of it that the image takes up.
        size: Rows and columns of the new grid.
        new_covered: Those of it that the image takes up.
        mirrored: Whether the old grid is of the image with left and right exchanged.
    """
    if not mirrored and values.shape[1:] == size and covered == new_covered:
        return values
    rows = mixing(size[0], new_covered[0], values.shape[1], covered[0])
    columns = mixing(size[1], new_covered[1], values.shape[2], covered[1], mirrored=mirrored)
    return np.matmul(np.matmul(rows, values), columns.T, dtype=np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn logits `(K, h, w)` into probabilities that sum to 1 over the first axis."""
    values = logits - logits.max(axis=0)
    np.exp(values, out=values)
    values /= values.sum(axis=0)
    return values


def log(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn probabilities into logits; those of 0 stay finite."""
    values = probabilities.clip(min=np.finfo(np.float32).tiny)
    return np.log(values, out=values)
