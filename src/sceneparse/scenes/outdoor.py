"""Village and park, and the setup of outdoor scenes."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sceneparse.scenes import figures, nature, plants, texture, town
from sceneparse.scenes.canvas import Canvas
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import draw_light, mix
from sceneparse.scenes.space import UP, Camera, LocalFrame, polygon, rectangle

Thing = tuple[LocalFrame, Callable[[LocalFrame], None]]


def outdoor_painter(
    canvas: Canvas, rng: np.random.Generator, haze_m: float, eye_m: float = 1.7
) -> ScenePainter:
    """Return the painter of an outdoor scene, with the camera `eye_m` above the ground."""
    eye = np.array([0.0, eye_m * rng.uniform(0.9, 1.3), 0.0], np.float32)
    camera = Camera(eye, 0.0, rng.uniform(0.8, 1.05), rng.uniform(0.4, 0.56))
    painter = ScenePainter(canvas, camera, draw_light(rng), rng)
    painter.haze_m = haze_m * rng.uniform(1.0, 2.5)
    return painter


def draw_far_to_near(things: list[Thing]) -> None:
    """Paint objects from far to near."""
    for frame, draw in sorted(things, key=lambda thing: -float(np.hypot(*thing[0].origin[[0, 2]]))):
        draw(frame)


def across(painter: ScenePainter, z: float, reach: float = 0.95) -> float:
    """Return a random x that is inside the image at a distance."""
    width = z * painter.relative_width / 2 / painter.camera.focal
    return painter.rng.uniform(-width, width) * reach


def village(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a country house with garden, fence and hills."""
    painter = outdoor_painter(canvas, rng, 160.0)
    nature.sky(painter)
    if rng.random() < 0.35:
        nature.mountains(painter, 0.12, 0.16, 0.7)
    nature.hills(painter, 0.08, 0.1, 0.7)
    nature.hills(painter, 0.03, 0.07, 0.4)
    if rng.random() < 0.6:
        nature.treeline(painter, 0.05, 0.4)
    nature.ground(painter, nature.meadow(painter), "grass")
    if rng.random() < 0.7:
        _fields(painter)
    things: list[Thing] = []
    z = rng.uniform(14, 20)
    x = across(painter, z, 0.45)
    size = (rng.uniform(6, 9), rng.uniform(5, 6), float(rng.choice([2.8, 5.2])))
    _path(painter, x, z - size[1] / 2)
    home = LocalFrame.at(x, 0, z, rng.uniform(-28, 28))
    things.append((home, lambda at: town.house(painter, at, size)))
    for _ in range(rng.integers(0, 3)):
        far = rng.uniform(28, 60)
        spot = LocalFrame.at(across(painter, far), 0, far, rng.uniform(-40, 40))
        things.append((spot, lambda at: town.house(painter, at, (7, 5, 3))))
    things += _garden(painter, z)
    draw_far_to_near(things)
    return painter


def _fields(painter: ScenePainter) -> None:
    """Paint strips of crops behind the house."""
    edges = np.cumsum(painter.rng.uniform(8, 30, 4)) + 16
    for near, far in pairwise(edges.tolist()):
        crop = painter.palette.grass() if painter.rng.random() < 0.5 else painter.palette.soil()
        rows = texture.stripes(crop, crop * np.float32(0.85), painter.rng.uniform(0.5, 1.2))
        tilt = painter.rng.uniform(-0.12, 0.12) * near
        strip = polygon((-99, near - tilt), (99, near + tilt), (99, far + 2 * tilt), (-99, far))
        ground = LocalFrame.at(0, 0, 0).flat(0, 0.002)
        painter.paint(ground, strip, painter.lit(rows, UP), "field")


def _path(painter: ScenePainter, x: float, z: float) -> None:
    """Paint a winding path from the camera to a position."""
    run = np.linspace(0, 1, 24)
    bend = painter.rng.uniform(-2.5, 2.5)
    middle = x * run**2 + bend * run * np.sin(np.pi * run)
    along = 0.4 + (z - 0.4) * run
    half = 0.9 - 0.3 * run
    left, right = np.stack([middle - half, along], 1), np.stack([middle + half, along], 1)
    outline = np.concatenate([left, right[::-1]]).astype(np.float32)
    soil = painter.palette.soil()
    fill = painter.lit(texture.rough(soil, soil * np.float32(0.86), 0.5), UP)
    painter.paint(LocalFrame.at(0, 0, 0).flat(0, 0.005), outline, fill, "path")


def _garden(painter: ScenePainter, z: float) -> list[Thing]:
    rng = painter.rng
    things: list[Thing] = []
    for _ in range(rng.integers(3, 8)):
        far = rng.uniform(z - 2, 45)
        tall = rng.uniform(3.5, 8)
        spot = LocalFrame.at(across(painter, far, 1.1), 0, far)
        things.append((spot, lambda at, tall=tall: plants.tree(painter, at, tall)))
    for _ in range(rng.integers(2, 7)):
        near = rng.uniform(4, z - 3)
        spot = LocalFrame.at(across(painter, near), 0, near)
        size, blossoms = rng.uniform(0.6, 1.2), rng.random() < 0.6
        things.append((spot, lambda at, s=size, b=blossoms: plants.bush(painter, at, s, b)))
    if rng.random() < 0.65:
        line = rng.uniform(5, 8)
        for side in (-1, 1):
            spot = LocalFrame.at(side * 5.0, 0, line)
            things.append((spot, lambda at: town.fence(painter, at, 8.2)))
    for _ in range(rng.integers(0, 4)):
        far = rng.uniform(8, 25)
        spot = LocalFrame.at(across(painter, far), 0, far)
        things.append((spot, lambda at: figures.animal(painter, at)))
    if rng.random() < 0.4:
        near = rng.uniform(5, 10)
        spot = LocalFrame.at(across(painter, near), 0, near)
        things.append((spot, lambda at: figures.person(painter, at)))
    return things


def park(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a park: trees, a path, a pond, benches and walkers."""
    painter = outdoor_painter(canvas, rng, 120.0)
    nature.sky(painter)
    if rng.random() < 0.4:
        _skyline(painter)
    nature.treeline(painter, rng.uniform(0.06, 0.12), 0.35)
    nature.ground(painter, nature.meadow(painter), "grass")
    if rng.random() < 0.6:
        _pond(painter)
    goal = rng.uniform(20, 40)
    _path(painter, across(painter, goal, 0.6), goal)
    things: list[Thing] = []
    for _ in range(rng.integers(5, 11)):
        far = rng.uniform(7, 45)
        spot = LocalFrame.at(across(painter, far, 1.1), 0, far)
        tall = rng.uniform(4, 9)
        things.append((spot, lambda at, tall=tall: plants.tree(painter, at, tall)))
    for kind, count, span in (
        ("person", 4, (5, 22)),
        ("bench", 3, (5, 14)),
        ("bush", 4, (4, 20)),
        ("rock", 2, (4, 15)),
    ):
        for _ in range(rng.integers(0, count + 1)):
            z = rng.uniform(*span)
            spot = LocalFrame.at(across(painter, z), 0, z, rng.uniform(-50, 50))
            things.append((spot, lambda at, kind=kind: _park_thing(painter, at, kind)))
    draw_far_to_near(things)
    return painter


def _park_thing(painter: ScenePainter, at: LocalFrame, kind: str) -> None:
    if kind == "person":
        figures.person(painter, at, painter.rng.uniform(1.2, 1.85))
    elif kind == "bench":
        town.bench(painter, at)
    elif kind == "bush":
        plants.bush(painter, at, painter.rng.uniform(0.7, 1.6), painter.rng.random() < 0.5)
    else:
        nature.rock(painter, at, painter.rng.uniform(0.5, 1.2))


def _skyline(painter: ScenePainter) -> None:
    """Paint the distant towers of a city."""
    rng = painter.rng
    x = -painter.relative_width / 2
    while x < painter.relative_width / 2:
        width, height = rng.uniform(0.03, 0.09), rng.uniform(0.08, 0.3)
        color = mix(painter.palette.color(0.5, 0.8, 0.05), painter.light.skyline, 0.55)
        glass = mix(color, painter.light.zenith, 0.3)
        fill = texture.facade(texture.plain(color, 0.0), glass, glass, 0.016, 0.02)
        painter.paint(painter.backdrop, rectangle(x, -0.01, width, height), fill, "skyscraper")
        x += width + rng.uniform(-0.01, 0.06)


def _pond(painter: ScenePainter) -> None:
    rng = painter.rng
    z = rng.uniform(9, 16)
    shore = plants.bumpy_outline(
        rng, across(painter, z, 0.6), z, (rng.uniform(3, 6), rng.uniform(2, 4))
    )
    water = mix(painter.palette.color(0.5, 0.7, 0.07), painter.light.zenith, 0.5)
    fill = texture.waves(water, painter.light.skyline, painter.light.skyline, 1.5)
    painter.paint(LocalFrame.at(0, 0, 0).flat(0, 0.004), shore, fill, "water")
