"""Objects on walls: windows with curtains, doors, paintings, mirrors and shelves."""

import numpy as np

from sceneparse.scenes import decor, texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix, oklch
from sceneparse.scenes.room import Wall
from sceneparse.scenes.space import ellipse, polygon, rectangle


def window(
    painter: ScenePainter, wall: Wall, x: float, width: float, low: float, curtains: bool
) -> None:
    """Paint a window with a view, bars, a sill, and optional curtains."""
    rng, palette, light = painter.rng, painter.palette, painter.light
    high = min(wall.height - 0.25, low + rng.uniform(1.2, 1.6))
    tall = high - low
    plane = wall.frame.upright(x, low, -0.01)
    casing = painter.lit(palette.pale(), -wall.frame.forward)
    painter.paint(
        plane, rectangle(-width / 2 - 0.07, -0.07, width + 0.14, tall + 0.14), casing, "windowpane"
    )
    view = rectangle(-width / 2, 0, width, tall)
    day = np.float32(1.08)
    painter.paint(
        plane, view, texture.gradient(light.skyline * day, light.zenith * day, tall), "windowpane"
    )
    for step in (0.45, 0.25):
        hill = _hill(rng, width, tall * step)
        color = mix(palette.leaf(), light.skyline, step + 0.2)
        painter.paint(plane, hill, color, "windowpane")
    bars = max(round(width / 0.6), 1)
    for number in range(1, bars):
        bar = rectangle(-width / 2 + number * width / bars - 0.025, 0, 0.05, tall)
        painter.paint(plane, bar, casing, "windowpane")
    if rng.random() < 0.6:
        painter.paint(plane, rectangle(-width / 2, tall * 0.62, width, 0.045), casing, "windowpane")
    painter.glow(
        wall.frame.world(x, low + tall / 2, -0.2), tall * 1.2, light.sun * np.float32(0.22)
    )
    if curtains:
        _curtains(painter, wall, x, width, (low, high))


def _hill(rng: np.random.Generator, width: float, tall: float) -> Array:
    x = np.linspace(-width / 2, width / 2, 14)
    wave = np.sin(x * rng.uniform(1.5, 3) + rng.uniform(0, 6)) * 0.25
    y = tall * (0.7 + wave + 0.08 * np.sin(x * 11))
    return polygon((-width / 2, 0), *zip(x.tolist(), y.tolist(), strict=True), (width / 2, 0))


def _curtains(
    painter: ScenePainter, wall: Wall, x: float, width: float, span: tuple[float, float]
) -> None:
    rng, palette = painter.rng, painter.palette
    cloth = texture.folds(palette.color(0.45, 0.93, 0.08), rng.uniform(0.1, 0.16))
    cloth = painter.lit(cloth, -wall.frame.forward)
    low = 0.04 if rng.random() < 0.6 else span[0] - 0.15
    rail, gather = span[1] + 0.12, rng.uniform(0.5, 0.9)
    each = width * rng.uniform(0.24, 0.4)
    plane = wall.frame.upright(x, 0, -0.06)
    for side in (-1, 1):
        outer, inner = side * (width / 2 + 0.2), side * (width / 2 + 0.2 - each)
        tuck = outer + (inner - outer) * gather
        waist = low + (rail - low) * 0.4
        drape = polygon(
            (outer, low),
            (outer, rail),
            (inner, rail),
            (tuck, waist),
            (outer + (tuck - outer) * 1.1, low),
        )
        painter.paint(plane, drape, cloth, "curtain")
    rod = rectangle(-width / 2 - 0.3, rail - 0.015, width + 0.6, 0.03)
    painter.paint(plane, rod, palette.dark(), "curtain")


def painting(
    painter: ScenePainter, wall: Wall, x: float, y: float, size: tuple[float, float]
) -> None:
    """Paint a framed painting: a small landscape or a still life of shapes."""
    rng, palette = painter.rng, painter.palette
    width, height = size
    plane = wall.frame.upright(x - width / 2, y - height / 2, -0.02)
    lit = painter.lit(palette.wood(), -wall.frame.forward)
    painter.paint(plane, rectangle(-0.04, -0.04, width + 0.08, height + 0.08), lit, "painting")
    painter.paint(
        plane,
        rectangle(0, 0, width, height),
        painter.lit(palette.pale(), -wall.frame.forward),
        "painting",
    )
    border = 0.12 * min(size)
    inner = rectangle(border, border, width - 2 * border, height - 2 * border)
    painter.paint(
        plane,
        inner,
        texture.gradient(palette.color(0.6, 0.95), palette.color(), height),
        "painting",
    )
    if rng.random() < 0.6:
        sun = ellipse(width * rng.uniform(0.35, 0.65), height * 0.62, 0.2 * width, 0.2 * width)
        painter.paint(plane, sun, palette.color(0.7, 0.95), "painting")
        for level in (0.5, 0.32):
            hill = _hill(rng, width - 2 * border, height * level)
            hill = hill + np.array([width / 2, border], np.float32)
            painter.paint(plane, hill, palette.color(0.3, 0.8), "painting")
    else:
        for _ in range(3):
            blob = ellipse(
                *(rng.uniform(0.35, 0.65, 2) * size), *(rng.uniform(0.15, 0.4, 2) * size)
            )
            painter.paint(plane, blob.astype(np.float32), palette.color(0.35, 0.9), "painting")


def mirror(
    painter: ScenePainter, wall: Wall, x: float, y: float, size: tuple[float, float]
) -> None:
    """Paint a mirror, round or rectangular, with a diagonal reflection."""
    width, height = size
    plane = wall.frame.upright(x, y, -0.02)
    power = painter.rng.choice([2.0, 9.0])
    painter.paint(
        plane,
        ellipse(0, 0, width + 0.08, height + 0.08, power),
        painter.lit(painter.palette.wood(), -wall.frame.forward),
        "mirror",
    )
    silver = mix(oklch(0.82, 0.02, 230), painter.palette.color(0.6, 0.85, 0.04), 0.5)

    def glass(at: texture.Texels) -> Array:
        gleam = np.clip(np.sin((at.s + at.t * 0.7) * np.float32(9 / width)) * 4 - 2.6, 0, 1)
        return mix(silver, silver * np.float32(0.8), 0.5 - at.t / np.float32(height)) + 0.1 * gleam

    painter.paint(plane, ellipse(0, 0, width, height, power), glass, "mirror")


def door(painter: ScenePainter, wall: Wall, x: float) -> None:
    """Paint a panelled door in its casing."""
    palette = painter.palette
    plane = wall.frame.upright(x - 0.45, 0, -0.02)
    casing = painter.lit(palette.pale(), -wall.frame.forward)
    painter.paint(plane, rectangle(-0.08, 0, 1.06, 2.13), casing, "door")
    leaf = palette.wood() if painter.rng.random() < 0.6 else palette.color(0.5, 0.9)
    rows = int(painter.rng.integers(2, 5))
    fill = texture.panels(leaf, 0.45, 2.05 / rows, leaf)
    painter.paint(plane, rectangle(0, 0, 0.9, 2.05), painter.lit(fill, -wall.frame.forward), "door")
    painter.paint(plane, ellipse(0.8, 1.0, 0.07, 0.07), palette.dark(), "door")


def shelf(painter: ScenePainter, wall: Wall, x: float, y: float, width: float) -> None:
    """Paint a board on the wall with a few objects on it."""
    frame = wall.frame.moved(x, y, -0.12)
    decor.shelf_books(painter, frame, width)
    timber = texture.wood(painter.palette.wood())
    painter.box(frame, (-width / 2, -0.04, -0.12), (width / 2, 0, 0.11), timber, "shelf")
