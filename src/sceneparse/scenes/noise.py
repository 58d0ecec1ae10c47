"""Smooth noise and random values that depend on coordinates alone."""

from functools import cache

import numpy as np

from sceneparse.scenes.canvas import Array
from sceneparse.scenes.space import Texels

_SIZE = 256


@cache
def _cloud(power: float) -> Array:
    """Return tileable noise with mean 0 and deviation 1; a higher power is smoother.

    The first row and column are repeated at the end, so that `noise` need not wrap indices.
    """
    rng = np.random.default_rng(7)
    frequency = np.hypot(np.fft.fftfreq(_SIZE)[:, None], np.fft.fftfreq(_SIZE)[None]) * _SIZE
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * frequency**-power
    values = np.fft.ifft2(spectrum).real
    values = np.pad(values / values.std(), (0, 1), mode="wrap")
    return values.astype(np.float32).ravel()


def noise(s: Array, t: Array, scale: float, power: float = 1.2) -> Array:
    """Return smooth noise with mean 0 and deviation 1.

    Args:
        s: First coordinate.
        t: Second coordinate.
        scale: Period of the noise; its finest detail is 1/128 of the period.
        power: Exponent of the spectrum: 0.5 is grainy, 1.2 cloudy, 2 wavy.
    """
    table = _cloud(power)
    x, y = s * np.float32(_SIZE / scale), t * np.float32(_SIZE / scale)
    left, top = np.floor(x), np.floor(y)
    x, y = x - left, y - top
    row = (top.astype(np.int32) & (_SIZE - 1)) * (_SIZE + 1)
    corner = (row + (left.astype(np.int32) & (_SIZE - 1))).astype(np.intp)
    upper, lower = table.take(corner), table[_SIZE + 1 :].take(corner)
    upper += (table[1:].take(corner) - upper) * x
    lower += (table[_SIZE + 2 :].take(corner) - lower) * x
    lower -= upper
    lower *= y
    upper += lower
    return upper


def grain(i: Array, j: Array | float = 0.0) -> Array:
    """Hash integers to pseudo-random values in 0..1."""
    phase = np.sin(i * np.float32(12.9898) + j * np.float32(78.233)) * np.float32(437.5453)
    return phase - np.floor(phase)


def near(at: Texels, metres: float) -> Array:
    """Return a factor that falls from 1 close by to 0 in the distance, to fade out detail."""
    return 1 / (1 + (at.depth / np.float32(metres)) ** 2)


def line(s: Array, period: float, width: float) -> Array:
    """Return 1 on periodic lines of a width and 0 elsewhere, with soft edges."""
    inside = np.abs((s / np.float32(period) + 0.5) % 1 - 0.5) * np.float32(period)
    return np.clip(1.5 - inside / np.float32(width / 2), 0, 1)
