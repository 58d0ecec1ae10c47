"""Fully connected conditional random field over the pixels of an image, by mean field."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.feature_map import log_probabilities, resampled, softmax
from sceneparse.inference.refinement import working_size
from sceneparse.inference.resize import resized
from sceneparse.inference.settings import DenseCrfRefinement

Slices = tuple[slice, slice]


class Neighbours(NamedTuple):
    """Pairs of pixels at one offset from each other.

    Attributes:
        first: The first pixel of each pair.
        second: The second one.
        weights: Weight of each pair in the pairwise potential, `(h', w')`.
    """

    first: Slices
    second: Slices
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class DenseCrf:
    """A dense CRF (Krähenbühl & Koltun, 2011) without its distant pairs.

    Energy and mean-field update are those of the paper (eqs. 1-3, algorithm 1): Potts
    compatibility, an appearance kernel over position and colour, and a smoothness kernel over
    position, each normalised symmetrically. As in the ConvCRF (Teichmann & Cipolla, 2018), pairs
    further apart than a radius in rows or columns are omitted. The sums over the other pairs are
    exact, without a permutohedral lattice, so that a slow reference can test them.

    The CRF works at the size of the network's input, or of the image if that is smaller: the
    network has seen no finer detail.

    Attributes:
        settings: Number of updates, distance of pairs, and the two kernels.
        stride: Pixels of the network's input per row or column of the probabilities.
        max_bytes: Memory budget; the working size is reduced to it.
    """

    settings: DenseCrfRefinement = field(default_factory=DenseCrfRefinement)
    stride: int = 1
    max_bytes: int = 256 * 2**20

    def __str__(self) -> str:
        """Return what is done, as printed with scores."""
        settings = self.settings
        return (
            f"dense CRF, {settings.iterations} iterations to radius {settings.radius}, "
            f"weight {settings.similar_weight:g} within {settings.similar_color:g} of colour, "
            f"{settings.near_weight:g} of place"
        )

    def __call__(
        self, probabilities: NDArray[np.float32], image: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Refine probabilities `(K, h, w)` with an image `(H, W, B)`."""
        classes, height, width = probabilities.shape
        settings = self.settings
        pairs = 2 * settings.radius * (settings.radius + 1)
        # Logits, probabilities and messages of each class; weights of each pair, before and after
        # normalisation; the bands.
        pixel_bytes = 4 * (4 * classes + 2 * pairs + 4 * image.shape[2])
        wanted = (
            min(image.shape[0], height * self.stride),
            min(image.shape[1], width * self.stride),
        )
        size = working_size(wanted, pixel_bytes, self.max_bytes)
        unary = log_probabilities(resampled(probabilities, (height, width), size, size))
        colors = resized(image, size).transpose(2, 0, 1).astype(np.float32)
        return mean_field(unary, self.neighbours(colors), settings.iterations)

    def neighbours(self, colors: NDArray[np.float32]) -> list[Neighbours]:
        """Compute the weights of all pairs of pixels of an image `(B, h, w)` in 0..255."""
        settings = self.settings
        # The mean over bands, times three: the width of the kernel fits any number of them.
        share = 3 / len(colors)
        pairs = list(_pairs(colors.shape[1], colors.shape[2], settings.radius))
        appearance = [
            np.exp(
                -0.5 * (distance / settings.similar_spread**2)
                - 0.5
                * share
                / settings.similar_color**2
                * _squared_norm(colors[:, *first] - colors[:, *second])
            )
            for first, second, distance in pairs
        ]
        smoothness = [
            np.float32(np.exp(-0.5 * distance / settings.near_spread**2))
            for _, _, distance in pairs
        ]
        shape = (colors.shape[1], colors.shape[2])
        sums = np.full((2, *shape), np.finfo(np.float32).tiny)
        kernels = list(zip(pairs, appearance, smoothness, strict=True))
        for (first, second, _), similar, near in kernels:
            for pixels in (first, second):
                sums[0][pixels] += similar
                sums[1][pixels] += near
        similar_norm, near_norm = (sums**-0.5).astype(np.float32)
        return [
            Neighbours(
                first,
                second,
                settings.similar_weight * similar_norm[first] * similar * similar_norm[second]
                + settings.near_weight * near_norm[first] * near * near_norm[second],
            )
            for (first, second, _), similar, near in kernels
        ]


def mean_field(
    unary: NDArray[np.float32], neighbours: list[Neighbours], iterations: int
) -> NDArray[np.float32]:
    """Return the probabilities `(K, h, w)` after a number of parallel mean-field updates.

    Args:
        unary: Logits `(K, h, w)`.
        neighbours: All pairs of pixels.
        iterations: Number of updates.
    """
    probabilities = softmax(unary)
    for _ in range(iterations):
        logits = unary.copy()
        # Class by class, so that the sums stay in the cache.
        for plane, message in zip(probabilities, logits, strict=True):
            for first, second, weights in neighbours:
                message[first] += weights * plane[second]
                message[second] += weights * plane[first]
        probabilities = softmax(logits)
    return probabilities


def _pairs(height: int, width: int, radius: int) -> Iterator[tuple[Slices, Slices, int]]:
    """Yield the pairs of pixels at each offset, each pair once, and their squared distance."""
    for down in range(min(radius, height - 1) + 1):
        for right in range(-min(radius, width - 1), min(radius, width - 1) + 1):
            if down == 0 and right <= 0:
                continue
            left, over = max(0, -right), max(0, right)
            first = slice(0, height - down), slice(left, width - over)
            second = slice(down, height), slice(over, width - left)
            yield first, second, down * down + right * right


def _squared_norm(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.einsum("chw,chw->hw", difference, difference)
