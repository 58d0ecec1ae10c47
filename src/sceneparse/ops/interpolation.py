"""Positions and weights of bilinear interpolation between a feature map and pixels.

No other module computes positions. This one needs NumPy only, so that exported models predict
where torch is not installed; `ops.upsampling` turns the same numbers into tensors.

A feature map may be padded: the image covers a number of its rows and columns, counted from the
first and fractions included, and what lies beyond them serves as a neighbour only.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Positions(NamedTuple):
    """Where points lie between the two neighbours that they are interpolated from.

    Attributes:
        first: Index of the first neighbour, int64 `(size,)`; the second one follows it.
        share: Weight of the second neighbour, float64 `(size,)` in 0..1.
    """

    first: NDArray[np.int64]
    share: NDArray[np.float64]

    def part(self, pixels: slice, source_size: int) -> tuple[slice, "Positions"]:
        """Return the sources that some pixels need, and the positions of the pixels in them."""
        first, share = self.first[pixels], self.share[pixels]
        band = slice(int(first[0]), min(int(first[-1]) + 2, source_size))
        return band, Positions(first - band.start, share)

    def weights(self, source_size: int) -> NDArray[np.float32]:
        """Return what each point takes of each source, float32 `(size, source_size)`."""
        matrix = np.zeros((len(self.first), source_size))
        point = np.arange(len(self.first))
        matrix[point, self.first] = 1 - self.share
        matrix[point, (self.first + 1).clip(max=source_size - 1)] += self.share
        return matrix.astype(np.float32)


def positions(
    size: int, covered: float, source_size: int, source_covered: float, *, flipped: bool = False
) -> Positions:
    """Locate the points of one grid over an image on another grid over the same image.

    Centres lie at half-integers, as in `F.interpolate(..., align_corners=False)`.

    Args:
        size: Number of points.
        covered: How many of them the image covers.
        source_size: Number of points of the grid to interpolate from.
        source_covered: How many of them the image covers.
        flipped: Whether that grid counts from the other end of the image.
    """
    center = (np.arange(size) + 0.5) * (source_covered / covered)
    if flipped:
        center = source_covered - center
    position = (center - 0.5).clip(0, source_size - 1)
    first = np.floor(position).clip(max=max(source_size - 2, 0))
    return Positions(first.astype(np.int64), position - first)
