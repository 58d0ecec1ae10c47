"""Sky, mountains, hills, ground, shadows and rocks."""

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.noise import noise
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import UP, Fill, LocalFrame, ellipse, rectangle


def sky(painter: ScenePainter) -> None:
    """Paint the whole image as sky, with a sun and clouds."""
    light, rng = painter.light, painter.rng
    plane, width = painter.backdrop, painter.relative_width / 2 + 0.05
    top = painter.camera.horizon / painter.relative_width
    fill = texture.gradient(light.skyline, light.zenith, 0.6)
    painter.paint(plane, rectangle(-width, -3, 2 * width, 6), fill, "sky")
    bright = mix(light.skyline, np.ones(3, np.float32), 0.6) * np.float32(1.05)
    sun = (float(np.sign(light.towards[0])) * width * rng.uniform(0.1, 0.8), rng.uniform(0.1, 0.4))
    if rng.random() < 0.5:
        spot = plane.origin + plane.u * np.float32(sun[0]) + plane.v * np.float32(sun[1])
        painter.paint(plane, ellipse(*sun, 0.07, 0.07), bright, "sky")
        painter.glow(spot, 0.45, light.sun * np.float32(0.5))
    for _ in range(rng.integers(0, 7)):
        wide, high = rng.uniform(0.15, 0.5), top * rng.uniform(0.12, 0.8)
        x = rng.uniform(-width, width)
        puff = _puff(rng, wide * (0.5 + high), wide * rng.uniform(0.15, 0.3))
        white = texture.gradient(mix(light.skyline, light.zenith, 0.15), bright, 0.1)
        lifted = texture.shifted(white, 0.0, float(high))
        painter.paint(plane, puff + np.array([x, high], np.float32), lifted, "sky", 0.85)


def _puff(rng: np.random.Generator, width: float, height: float) -> Array:
    """Return the outline of a cloud: flat below, a row of bumps above."""
    angle = np.linspace(0, np.pi, 40)
    bumps = 0.72 + 0.28 * np.abs(np.sin(angle * rng.integers(2, 4) + rng.uniform(0, 3)))
    bumps += 0.1 * np.abs(np.sin(angle * 7 + rng.uniform(0, 3)))
    crown = np.stack([np.cos(angle) * width / 2 * bumps**0.3, np.sin(angle) * height * bumps], 1)
    return np.concatenate(
        [crown, [[-width * 0.4, -0.1 * height], [width * 0.4, -0.1 * height]]]
    ).astype(np.float32)


def ridge(painter: ScenePainter, level: float, relief: float, roughness: float) -> Array:
    """Return a skyline across the image, in image-plane units.

    Args:
        painter: The painter of the scene.
        level: Mean height above the horizon.
        relief: Height of peaks over the mean.
        roughness: 0 for rolling hills, 1 for jagged rock.
    """
    rng = painter.rng
    x = np.linspace(-1.1, 1.1, 90)
    y = np.zeros_like(x)
    for octave in range(6):
        share = relief * (0.3 + 0.25 * roughness) ** octave
        wave = np.sin(x * rng.uniform(2.5, 4.0) * 1.9**octave + rng.uniform(0, 6.3))
        y += share * ((1 - roughness) * wave + roughness * (1 - 2 * np.abs(wave)))
    top = np.stack([x, np.maximum(level + 0.6 * y, 0.004)], axis=1)
    return np.concatenate([top, [[1.1, -0.02], [-1.1, -0.02]]]).astype(np.float32)


def mountains(painter: ScenePainter, level: float, relief: float, distance: float) -> None:
    """Paint a range of mountains, paler with distance 0..1, some of them with snow."""
    rng = painter.rng
    rock = mix(painter.palette.color(0.4, 0.62, 0.05), painter.palette.soil(), rng.uniform(0, 0.6))
    rock = mix(rock, painter.light.skyline, 0.25 + 0.6 * distance)
    snow = mix(np.ones(3, np.float32), painter.light.skyline, 0.5 * distance)
    shadow = rock * np.float32(0.74)
    line = level + relief * rng.uniform(-0.1, 0.9) if rng.random() < 0.6 else 9.0
    slope = np.float32(np.sign(painter.light.towards[0]))

    def fill(at: texture.Texels) -> Array:
        folds = noise(at.s + slope * at.t * 0.7, at.t * 0.35, 1.4, 1.0)
        color = mix(rock, shadow, np.clip(0.5 + 0.9 * folds, 0, 1))
        edge = at.t - np.float32(line) + 0.03 * folds
        cap = np.clip(edge * 30, 0, 1) * np.clip(1.1 - 0.5 * np.maximum(folds, 0), 0.4, 1)
        return color + (snow.reshape(3, 1, 1) - color) * cap

    painter.paint(painter.backdrop, ridge(painter, level, relief, 0.75), fill, "mountain")


def hills(
    painter: ScenePainter, level: float, relief: float, distance: float, name: str = "hill"
) -> None:
    """Paint rolling hills, paler with distance 0..1."""
    color = mix(painter.palette.grass(), painter.light.skyline, 0.15 + 0.6 * distance)
    other = mix(painter.palette.leaf(), painter.light.skyline, 0.15 + 0.6 * distance)
    fill = texture.rough(color, other, 0.1, 0.6)
    painter.paint(painter.backdrop, ridge(painter, level, relief, 0.08), fill, name)


def treeline(painter: ScenePainter, level: float, distance: float) -> None:
    """Paint a distant forest as one band of crowns."""
    rng = painter.rng
    color = mix(painter.palette.leaf(), painter.light.skyline, 0.1 + 0.5 * distance)
    x = np.linspace(-1.1, 1.1, 160)
    crowns = np.abs(np.sin(x * rng.uniform(18, 40))) + 0.6 * np.abs(np.sin(x * 61 + 1))
    y = level * (0.55 + 0.25 * crowns + 0.25 * np.sin(x * rng.uniform(2, 5) + rng.uniform(0, 6)))
    band = np.concatenate([np.stack([x, y], 1), [[1.1, -0.02], [-1.1, -0.02]]]).astype(np.float32)
    light = mix(color, painter.light.skyline, 0.25)
    painter.paint(painter.backdrop, band, texture.foliage(color, light, 0.1), "tree")


def ground(
    painter: ScenePainter, fill: Fill, name: str, x: tuple[float, float] = (-400, 400)
) -> None:
    """Paint level ground to the horizon, in a range of x."""
    area = rectangle(x[0], 0.2, x[1] - x[0], 900)
    painter.paint(LocalFrame.at(0, 0, 0).flat(), area, painter.lit(fill, UP), name)


def meadow(painter: ScenePainter) -> Fill:
    """Draw a meadow's texture."""
    grass = painter.palette.grass()
    return texture.rough(grass, mix(grass, painter.palette.grass(), 0.7), 0.8)


def cast_shadow(painter: ScenePainter, frame: LocalFrame, width: float, length: float) -> None:
    """Paint the soft shadow of an upright object on the ground."""
    away = -painter.light.towards[[0, 2]] * np.float32(length)
    along = LocalFrame.on(frame.origin, float(np.rad2deg(np.arctan2(away[0], away[1]))))
    reach = float(np.hypot(*away)) + width / 2

    def shadow(at: texture.Texels) -> Array:
        x, y = at.s / np.float32(width / 2), (at.t - reach / 2) / np.float32(reach / 2 + 0.1)
        soft = np.clip(1.4 * (1 - np.sqrt(x * x + y * y)), 0, 1)
        return 1 - 0.5 * soft[None] * _SHADOW

    oval = ellipse(0, reach / 2, width, reach + 0.2)
    painter.tint(along.flat(0, 0.01), oval, shadow)


def rock(painter: ScenePainter, frame: LocalFrame, size: float) -> None:
    """Paint a boulder with a lit top."""
    rng, light = painter.rng, painter.light
    painter.contact_shadow(frame, size, size * 0.5, 0.5)
    face = painter.facing(frame).upright()
    angle = np.sort(rng.uniform(0, np.pi, 9))
    radius = rng.uniform(0.8, 1.05, 9)
    crown = np.stack([np.cos(angle) * radius * size / 2, np.sin(angle) * radius * size * 0.5], 1)
    outline = np.concatenate([[[size * 0.52, -0.02 * size]], crown, [[-size * 0.52, -0.02 * size]]])
    color = mix(painter.palette.soil(), painter.palette.color(0.5, 0.75, 0.02), 0.6)
    dark, bright = color * light.shade * np.float32(0.75), color * (light.shade + light.sun)
    slant = np.float32(0.5 * np.sign(light.towards[0]))

    def fill(at: texture.Texels) -> Array:
        facets = noise(at.s, at.t, size * 1.6, 1.2)
        rise = (at.t + slant * at.s) / np.float32(size * 0.6)
        return mix(dark, bright, np.clip(rise + 0.22 * facets, 0, 1))

    painter.paint(face, outline.astype(np.float32), fill, "rock")


_SHADOW = np.array([1.0, 0.95, 0.82], np.float32).reshape(3, 1, 1)
