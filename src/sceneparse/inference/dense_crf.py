"""A conditional random field over the pixels of an image, solved by mean field."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.feature_map import log_probabilities, resampled, softmax
from sceneparse.inference.refinement import working_size
from sceneparse.inference.resize import resized

Slices = tuple[slice, slice]


class Neighbours(NamedTuple):
    """Pairs of pixels at one distance from each other.

    Attributes:
        first: The one pixel of each pair.
        second: The other one.
        weights: How strongly they want the same class, `(h', w')`.
    """

    first: Slices
    second: Slices
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class DenseCrf:
    """A dense CRF (Krähenbühl & Koltun, 2011) of which far pairs are left out.

    Energy and mean-field update are those of the paper (eqs. 1-3, algorithm 1): Potts
    compatibility, an appearance kernel over place and colour, a smoothness kernel over place, each
    normalised symmetrically. Pairs further apart than `radius` in a row or a column are left out,
    as in the ConvCRF (Teichmann & Cipolla, 2018), and the sums over the others are exact: no
    permutohedral lattice, and a slow reference to be tested against.

    It works at the size at which the network saw the image, or at the photo's if that is
    smaller: finer, the network has seen nothing.

    Attributes:
        stride: Pixels that the network saw per cell of the probabilities.
        iterations: Mean-field updates.
        radius: Largest distance of a pair in rows and in columns, in pixels of the working size.
        similar_weight: Weight of the appearance kernel.
        similar_spread: Its standard deviation over place, in pixels.
        similar_color: Its standard deviation over colour, of a scale of 0..255.
        near_weight: Weight of the smoothness kernel.
        near_spread: Its standard deviation over place, in pixels.
        max_bytes: Memory to take; the working size is reduced to it.
    """

    stride: int = 1
    iterations: int = 5
    radius: int = 5
    similar_weight: float = 4.0
    similar_spread: float = 5.0
    similar_color: float = 10.0
    near_weight: float = 1.0
    near_spread: float = 1.0
    max_bytes: int = 256 * 2**20

    def __str__(self) -> str:
        """Say what is done, as printed with scores."""
        return (
            f"dense CRF, {self.iterations} iterations to radius {self.radius}, "
            f"weight {self.similar_weight:g} within {self.similar_color:g} of colour, "
            f"{self.near_weight:g} of place"
        )

    def __call__(
        self, probabilities: NDArray[np.float32], image: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Solve for probabilities `(K, h, w)` and a photo `(H, W, 3)`."""
        classes, rows, columns = probabilities.shape
        pairs = 2 * self.radius * (self.radius + 1)
        # Logits, probabilities and messages of each class; weights of each pair, plain and
        # normalised; the colours.
        pixel_bytes = 4 * (4 * classes + 2 * pairs + 12)
        wanted = (
            min(image.shape[0], rows * self.stride),
            min(image.shape[1], columns * self.stride),
        )
        size = working_size(wanted, pixel_bytes, self.max_bytes)
        unary = log_probabilities(resampled(probabilities, (rows, columns), size, size))
        colors = resized(image, size).transpose(2, 0, 1).astype(np.float32)
        return mean_field(unary, self.neighbours(colors), self.iterations)

    def neighbours(self, colors: NDArray[np.float32]) -> list[Neighbours]:
        """Weigh all pairs of pixels of a photo `(3, h, w)` in 0..255, each pair once."""
        pairs = list(_pairs(colors.shape[1], colors.shape[2], self.radius))
        similar = [
            np.exp(
                -0.5 * (apart / self.similar_spread**2)
                - 0.5 / self.similar_color**2 * _squares(colors[:, *one] - colors[:, *other])
            )
            for one, other, apart in pairs
        ]
        near = [np.float32(np.exp(-0.5 * apart / self.near_spread**2)) for _, _, apart in pairs]
        shape = (colors.shape[1], colors.shape[2])
        sums = np.full((2, *shape), np.finfo(np.float32).tiny)
        for (one, other, _), alike, close in zip(pairs, similar, near, strict=True):
            for place in (one, other):
                sums[0][place] += alike
                sums[1][place] += close
        by_color, by_place = (sums**-0.5).astype(np.float32)
        return [
            Neighbours(
                one,
                other,
                self.similar_weight * by_color[one] * alike * by_color[other]
                + self.near_weight * by_place[one] * close * by_place[other],
            )
            for (one, other, _), alike, close in zip(pairs, similar, near, strict=True)
        ]


def mean_field(
    unary: NDArray[np.float32], neighbours: list[Neighbours], iterations: int
) -> NDArray[np.float32]:
    """Return the probabilities `(K, h, w)` after some updates of all pixels at once.

    Args:
        unary: Logits `(K, h, w)`.
        neighbours: All pairs of pixels.
        iterations: Number of updates.
    """
    probabilities = softmax(unary)
    for _ in range(iterations):
        logits = unary.copy()
        # Class by class, so that what is added to stays in the cache.
        for plane, message in zip(probabilities, logits, strict=True):
            for one, other, weights in neighbours:
                message[one] += weights * plane[other]
                message[other] += weights * plane[one]
        probabilities = softmax(logits)
    return probabilities


def _pairs(height: int, width: int, radius: int) -> Iterator[tuple[Slices, Slices, int]]:
    """Yield the pairs of pixels at each offset, each pair once, and their squared distance."""
    for down in range(min(radius, height - 1) + 1):
        for right in range(-min(radius, width - 1), min(radius, width - 1) + 1):
            if down == 0 and right <= 0:
                continue
            left, over = max(0, -right), max(0, right)
            one = slice(0, height - down), slice(left, width - over)
            other = slice(down, height), slice(over, width - left)
            yield one, other, down * down + right * right


def _squares(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.einsum("chw,chw->hw", difference, difference)
