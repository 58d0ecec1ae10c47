"""Guided filter of class probabilities, with the image as guide."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.feature_map import resampled
from sceneparse.inference.refinement import working_size
from sceneparse.inference.resize import resized
from sceneparse.inference.settings import GuidedFilterRefinement


@dataclass(frozen=True)
class GuidedFilter:
    """The fast guided filter (He et al., 2013, eqs. 14-16; He & Sun, 2015).

    In each window the probability of a class is fitted as a linear function of the image's colour,
    or of its bands.
    The fits are computed at the decoder's stride, as the probabilities have no finer detail. Their
    coefficients are smooth, so they are upsampled and applied to the image at its own size, which
    has the edges.

    Attributes:
        settings: Radius of the windows, and the variance of noise.
        max_bytes: Memory budget; if it does not hold the probabilities at the image's own size,
            that size is reduced.
    """

    settings: GuidedFilterRefinement = field(default_factory=GuidedFilterRefinement)
    max_bytes: int = 256 * 2**20

    def __str__(self) -> str:
        """Return what is done, as printed with scores."""
        return f"guided filter of radius {self.settings.radius}, epsilon {self.settings.epsilon:g}"

    def __call__(
        self, probabilities: NDArray[np.float32], image: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Filter `(K, h, w)` with an image `(H, W, B)`, to the image's size or a smaller one."""
        classes, height, width = probabilities.shape
        bands = image.shape[2]
        # The result and its logarithm; the bands, a coefficient of each and an offset, and their
        # intermediate results.
        pixel_bytes = 4 * (2 * classes + 4 * (bands + 1))
        size = working_size((image.shape[0], image.shape[1]), pixel_bytes, self.max_bytes)
        guide = _colors(image, (height, width))
        fine = _colors(image, size).astype(np.float32)
        window = _Window.of(guide, self.settings.radius, self.settings.epsilon)
        covered = (float(height), float(width))
        result = np.empty((classes, *size), np.float32)
        for index, plane in enumerate(probabilities):
            fits = resampled(window.fits(plane), covered, size, size)
            np.einsum("chw,chw->hw", fits[:bands], fine, out=result[index])
            result[index] += fits[bands]
        # The filter is linear and keeps sums, but overshoots.
        result = result.clip(min=1e-6, out=result)
        result /= result.sum(axis=0)
        return result


class _Window(NamedTuple):
    """Statistics of the colours in each window, which the fits of all classes share.

    Attributes:
        guide: Colours of the image at the decoder's stride, float64 `(B, h, w)`.
        mean: Their mean over the window around each pixel.
        inverse: Inverse of their covariance plus epsilon, `(B, B, h, w)`.
        radius: Radius of the windows.
    """

    guide: NDArray[np.float64]
    mean: NDArray[np.float64]
    inverse: NDArray[np.float64]
    radius: int

    @classmethod
    def of(cls, guide: NDArray[np.float64], radius: int, epsilon: float) -> "_Window":
        mean = box_mean(guide, radius)
        products = box_mean(guide[:, None] * guide, radius) - mean[:, None] * mean
        matrices = products.transpose(2, 3, 0, 1) + epsilon * np.eye(len(guide))
        inverse = np.linalg.inv(matrices).transpose(2, 3, 0, 1).astype(np.float64, copy=False)
        return cls(guide, mean, inverse, radius)

    def fits(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fit one class `(h, w)`: coefficients of the bands and an offset, `(B + 1, h, w)`."""
        values = plane.astype(np.float64)
        mean = box_mean(values, self.radius)
        covariance = box_mean(self.guide * values, self.radius) - self.mean * mean
        coefficients = np.einsum("abhw,bhw->ahw", self.inverse, covariance)
        offset = mean - (coefficients * self.mean).sum(axis=0)
        # Each pixel takes the mean of the fits of all windows that contain it.
        fits = np.concatenate([coefficients, offset[None]])
        return box_mean(fits, self.radius).astype(np.float32)


def box_mean(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Average values `(..., h, w)` over square windows, which are cropped at the edges."""
    for axis in (-2, -1):
        length = values.shape[axis]
        index = np.arange(length)
        low, high = (index - radius).clip(min=0), (index + radius + 1).clip(max=length)
        edge = [(0, 0)] * values.ndim
        edge[axis] = (1, 0)
        sums = np.pad(values.cumsum(axis=axis), edge)
        totals = sums.take(high, axis=axis) - sums.take(low, axis=axis)
        values = totals / (high - low).reshape((-1, 1) if axis == -2 else (-1,))
    return values


def _colors(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float64]:
    """Resize an image; return its colours in 0..1 as planes `(B, h, w)`."""
    return resized(image, size).transpose(2, 0, 1) / 255
