"""Harmonious colours: one palette per scene, and one light per time of day."""

import math
from dataclasses import dataclass

import numpy as np

from sceneparse.scenes.canvas import Array

_HARMONIES = (
    (0, 25, -25, 180),
    (0, 150, 210, 20),
    (0, 120, 240, 10),
    (0, 40, 80, 200),
    (0, 15, 180, 195),
)
_TO_LMS = (
    (0.3963377774, 0.2158037573),
    (-0.1055613458, -0.0638541728),
    (-0.0894841775, -1.2914855480),
)
_TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def oklch(lightness: float, chroma: float, hue: float) -> Array:
    """Return the sRGB colour `(3,)` in 0..1 of an OKLCH colour (Ottosson, 2020).

    Args:
        lightness: 0 is black, 1 is white.
        chroma: 0 is grey, 0.1 is soft, 0.2 is vivid.
        hue: Degrees; 30 red, 90 yellow, 145 green, 250 blue.
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    lms = [(lightness + p * a + q * b) ** 3 for p, q in _TO_LMS]
    linear = (sum(k * cone for k, cone in zip(row, lms, strict=True)) for row in _TO_RGB)
    return np.array([_gamma_encode(min(max(value, 0.0), 1.0)) for value in linear], np.float32)


def _gamma_encode(linear: float) -> float:
    return linear * 12.92 if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def mix(one: Array, other: Array, share: Array | float) -> Array:
    """Mix `one` with a share in 0..1 of `other`; a share `(h, w)` gives colours `(3, h, w)`."""
    if isinstance(share, np.ndarray):
        first = one.reshape(3, 1, 1)
        return first + (other.reshape(3, 1, 1) - first) * share
    return one + (other - one) * np.float32(share)


class Palette:
    """Random colours of one scene, from a few harmonious hues."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        harmony = _HARMONIES[rng.integers(len(_HARMONIES))]
        self.hues = rng.uniform(0, 360) + np.array(harmony, float)
        self._season = rng.choice(
            [rng.uniform(115, 150), rng.uniform(150, 180), rng.uniform(35, 95)]
        )
        self.vividness = rng.uniform(0.8, 1.35)

    def color(self, low: float = 0.45, high: float = 0.8, chroma: float = 0.09) -> Array:
        """Return a colour of the scene with lightness between `low` and `high`."""
        rng = self._rng
        hue = self.hues[rng.integers(len(self.hues))] + rng.uniform(-8, 8)
        return oklch(rng.uniform(low, high), chroma * self.vividness * rng.uniform(0.6, 1.2), hue)

    def pale(self) -> Array:
        """Return a light, muted colour, for plaster, linen or porcelain."""
        return self.color(0.82, 0.96, 0.03)

    def dark(self) -> Array:
        """Return a dark, muted colour, for iron, slate or night."""
        return self.color(0.22, 0.4, 0.04)

    def wood(self) -> Array:
        """Return a colour of wood, from ebony to birch, or of painted wood."""
        rng = self._rng
        if rng.random() < 0.2:
            return self.color(0.5, 0.9, 0.05)
        return oklch(rng.uniform(0.35, 0.8), rng.uniform(0.04, 0.1), rng.uniform(45, 80))

    def leaf(self, evergreen: bool = False) -> Array:
        """Return a colour of leaves; most plants of a scene share one season."""
        rng = self._rng
        hue = self._season if rng.random() < 0.8 else rng.uniform(30, 160)
        if evergreen:
            return oklch(rng.uniform(0.42, 0.6), rng.uniform(0.06, 0.1), rng.uniform(135, 185))
        return oklch(rng.uniform(0.54, 0.76), rng.uniform(0.09, 0.15), hue + rng.uniform(-12, 12))

    def grass(self) -> Array:
        """Return a colour of meadows, from fresh green to straw."""
        rng = self._rng
        return oklch(rng.uniform(0.62, 0.84), rng.uniform(0.08, 0.15), rng.uniform(95, 145))

    def soil(self) -> Array:
        """Return a colour of sand, earth and stone."""
        rng = self._rng
        return oklch(rng.uniform(0.58, 0.9), rng.uniform(0.02, 0.09), rng.uniform(45, 95))


@dataclass(frozen=True)
class Light:
    """The light of one time of day.

    Attributes:
        towards: Unit vector to the sun or window (right, up, forward).
        sun: Colour added to lit faces.
        shade: Colour of faces in the shade.
        zenith: Sky colour overhead.
        skyline: Sky colour at the horizon, into which distant objects fade.
    """

    towards: Array
    sun: Array
    shade: Array
    zenith: Array
    skyline: Array

    def on(self, normal: Array) -> Array:
        """Return the colour factor `(3,)` of a face with a unit normal."""
        facing = max(float(normal @ self.towards), 0.0)
        from_above = 0.06 * float(normal[1])
        return self.shade + self.sun * np.float32(facing) + np.float32(from_above)


_TIMES = {
    "noon": ((0.7, 0.14, 245), (0.92, 0.05, 220), (0.98, 0.02, 90), 0.45, (0.86, 0.02, 255)),
    "morning": ((0.78, 0.09, 235), (0.95, 0.06, 85), (0.95, 0.06, 80), 0.45, (0.83, 0.03, 280)),
    "golden": ((0.74, 0.08, 240), (0.9, 0.11, 70), (0.92, 0.11, 70), 0.55, (0.76, 0.05, 310)),
    "dusk": ((0.48, 0.12, 280), (0.8, 0.14, 40), (0.82, 0.12, 45), 0.4, (0.66, 0.06, 290)),
    "overcast": ((0.8, 0.02, 240), (0.92, 0.01, 220), (0.95, 0.01, 100), 0.2, (0.9, 0.01, 250)),
    "pastel": ((0.8, 0.1, 300), (0.93, 0.07, 30), (0.97, 0.05, 60), 0.45, (0.84, 0.03, 300)),
    "mint": ((0.8, 0.1, 200), (0.95, 0.06, 110), (0.97, 0.05, 100), 0.45, (0.84, 0.02, 210)),
}
"""Zenith, skyline and sun as OKLCH, strength of the sun, and shade as OKLCH."""


def draw_light(rng: np.random.Generator) -> Light:
    """Draw a time of day at random, with slightly varied hues."""
    zenith, skyline, sun, strength, shade = _TIMES[str(rng.choice(list(_TIMES)))]
    hue_shift = rng.uniform(-14, 14)
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 0.8)
    towards = np.array([side, rng.uniform(0.45, 0.9), rng.uniform(-0.7, -0.2)], np.float32)

    def color(lch: tuple[float, float, float]) -> Array:
        return oklch(lch[0], lch[1], lch[2] + hue_shift)

    return Light(
        towards=towards / np.float32(np.linalg.norm(towards)),
        sun=color(sun) * np.float32(strength),
        shade=color(shade) * np.float32(0.95),
        zenith=color(zenith),
        skyline=color(skyline),
    )
