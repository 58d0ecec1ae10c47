"""Green places: village and park; and how scenes outdoors are set up."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sceneparse.scenes import figures, nature, plants, texture, town
from sceneparse.scenes.canvas import Canvas
from sceneparse.scenes.palette import draw_light, mix
from sceneparse.scenes.space import UP, Camera, Frame, polygon, rectangle
from sceneparse.scenes.stage import Stage

Thing = tuple[Frame, Callable[[Frame], None]]


def stand(canvas: Canvas, rng: np.random.Generator, haze_m: float, eye_m: float = 1.7) -> Stage:
    """Return the stage of a scene outdoors, seen by someone whose eyes are `eye_m` up."""
    eye = np.array([0.0, eye_m * rng.uniform(0.9, 1.3), 0.0], np.float32)
    camera = Camera(eye, 0.0, rng.uniform(0.8, 1.05), rng.uniform(0.4, 0.56))
    stage = Stage(canvas, camera, draw_light(rng), rng)
    stage.haze_m = haze_m * rng.uniform(1.0, 2.5)
    return stage


def place(things: list[Thing]) -> None:
    """Draw things from far to near."""
    for frame, draw in sorted(things, key=lambda thing: -float(np.hypot(*thing[0].origin[[0, 2]]))):
        draw(frame)


def across(stage: Stage, z: float, reach: float = 0.95) -> float:
    """Return a random x that is in the image at a distance."""
    width = z * stage.spread / 2 / stage.camera.focal
    return stage.rng.uniform(-width, width) * reach


def village(canvas: Canvas, rng: np.random.Generator) -> Stage:
    """Draw a house in the country with garden, fence and hills."""
    stage = stand(canvas, rng, 160.0)
    nature.sky(stage)
    if rng.random() < 0.35:
        nature.mountains(stage, 0.12, 0.16, 0.7)
    nature.hills(stage, 0.08, 0.1, 0.7)
    nature.hills(stage, 0.03, 0.07, 0.4)
    if rng.random() < 0.6:
        nature.treeline(stage, 0.05, 0.4)
    nature.ground(stage, nature.meadow(stage), "grass")
    if rng.random() < 0.7:
        _fields(stage)
    things: list[Thing] = []
    z = rng.uniform(14, 20)
    x = across(stage, z, 0.45)
    size = (rng.uniform(6, 9), rng.uniform(5, 6), float(rng.choice([2.8, 5.2])))
    _path(stage, x, z - size[1] / 2)
    home = Frame.at(x, 0, z, rng.uniform(-28, 28))
    things.append((home, lambda at: town.house(stage, at, size)))
    for _ in range(rng.integers(0, 3)):
        far = rng.uniform(28, 60)
        spot = Frame.at(across(stage, far), 0, far, rng.uniform(-40, 40))
        things.append((spot, lambda at: town.house(stage, at, (7, 5, 3))))
    things += _garden(stage, z)
    place(things)
    return stage


def _fields(stage: Stage) -> None:
    """Paint strips of crops behind the house."""
    edges = np.cumsum(stage.rng.uniform(8, 30, 4)) + 16
    for near, far in pairwise(edges.tolist()):
        crop = stage.palette.grass() if stage.rng.random() < 0.5 else stage.palette.soil()
        rows = texture.stripes(crop, crop * np.float32(0.85), stage.rng.uniform(0.5, 1.2))
        tilt = stage.rng.uniform(-0.12, 0.12) * near
        strip = polygon((-99, near - tilt), (99, near + tilt), (99, far + 2 * tilt), (-99, far))
        ground = Frame.at(0, 0, 0).flat(0, 0.002)
        stage.paint(ground, strip, stage.lit(rows, UP), "field")


def _path(stage: Stage, x: float, z: float) -> None:
    """Paint a winding path from the feet of the viewer to a place."""
    run = np.linspace(0, 1, 24)
    bend = stage.rng.uniform(-2.5, 2.5)
    middle = x * run**2 + bend * run * np.sin(np.pi * run)
    along = 0.4 + (z - 0.4) * run
    half = 0.9 - 0.3 * run
    left, right = np.stack([middle - half, along], 1), np.stack([middle + half, along], 1)
    outline = np.concatenate([left, right[::-1]]).astype(np.float32)
    soil = stage.palette.soil()
    fill = stage.lit(texture.rough(soil, soil * np.float32(0.86), 0.5), UP)
    stage.paint(Frame.at(0, 0, 0).flat(0, 0.005), outline, fill, "path")


def _garden(stage: Stage, z: float) -> list[Thing]:
    rng = stage.rng
    things: list[Thing] = []
    for _ in range(rng.integers(3, 8)):
        far = rng.uniform(z - 2, 45)
        tall = rng.uniform(3.5, 8)
        spot = Frame.at(across(stage, far, 1.1), 0, far)
        things.append((spot, lambda at, tall=tall: plants.tree(stage, at, tall)))
    for _ in range(rng.integers(2, 7)):
        near = rng.uniform(4, z - 3)
        spot = Frame.at(across(stage, near), 0, near)
        size, blossoms = rng.uniform(0.6, 1.2), rng.random() < 0.6
        things.append((spot, lambda at, s=size, b=blossoms: plants.bush(stage, at, s, b)))
    if rng.random() < 0.65:
        line = rng.uniform(5, 8)
        for side in (-1, 1):
            spot = Frame.at(side * 5.0, 0, line)
            things.append((spot, lambda at: town.fence(stage, at, 8.2)))
    for _ in range(rng.integers(0, 4)):
        far = rng.uniform(8, 25)
        spot = Frame.at(across(stage, far), 0, far)
        things.append((spot, lambda at: figures.animal(stage, at)))
    if rng.random() < 0.4:
        near = rng.uniform(5, 10)
        spot = Frame.at(across(stage, near), 0, near)
        things.append((spot, lambda at: figures.person(stage, at)))
    return things


def park(canvas: Canvas, rng: np.random.Generator) -> Stage:
    """Draw a park: trees, a path, a pond, benches and walkers."""
    stage = stand(canvas, rng, 120.0)
    nature.sky(stage)
    if rng.random() < 0.4:
        _skyline(stage)
    nature.treeline(stage, rng.uniform(0.06, 0.12), 0.35)
    nature.ground(stage, nature.meadow(stage), "grass")
    if rng.random() < 0.6:
        _pond(stage)
    goal = rng.uniform(20, 40)
    _path(stage, across(stage, goal, 0.6), goal)
    things: list[Thing] = []
    for _ in range(rng.integers(5, 11)):
        far = rng.uniform(7, 45)
        spot = Frame.at(across(stage, far, 1.1), 0, far)
        tall = rng.uniform(4, 9)
        things.append((spot, lambda at, tall=tall: plants.tree(stage, at, tall)))
    for kind, count, span in (
        ("person", 4, (5, 22)),
        ("bench", 3, (5, 14)),
        ("bush", 4, (4, 20)),
        ("rock", 2, (4, 15)),
    ):
        for _ in range(rng.integers(0, count + 1)):
            z = rng.uniform(*span)
            spot = Frame.at(across(stage, z), 0, z, rng.uniform(-50, 50))
            things.append((spot, lambda at, kind=kind: _park_thing(stage, at, kind)))
    place(things)
    return stage


def _park_thing(stage: Stage, at: Frame, kind: str) -> None:
    if kind == "person":
        figures.person(stage, at, stage.rng.uniform(1.2, 1.85))
    elif kind == "bench":
        town.bench(stage, at)
    elif kind == "bush":
        plants.bush(stage, at, stage.rng.uniform(0.7, 1.6), stage.rng.random() < 0.5)
    else:
        nature.rock(stage, at, stage.rng.uniform(0.5, 1.2))


def _skyline(stage: Stage) -> None:
    """Paint far towers of a city."""
    rng = stage.rng
    x = -stage.spread / 2
    while x < stage.spread / 2:
        width, height = rng.uniform(0.03, 0.09), rng.uniform(0.08, 0.3)
        color = mix(stage.palette.color(0.5, 0.8, 0.05), stage.light.skyline, 0.55)
        glass = mix(color, stage.light.zenith, 0.3)
        fill = texture.facade(texture.plain(color, 0.0), glass, glass, 0.016, 0.02)
        stage.paint(stage.backdrop, rectangle(x, -0.01, width, height), fill, "skyscraper")
        x += width + rng.uniform(-0.01, 0.06)


def _pond(stage: Stage) -> None:
    rng = stage.rng
    z = rng.uniform(9, 16)
    shore = plants.lump(rng, across(stage, z, 0.6), z, (rng.uniform(3, 6), rng.uniform(2, 4)))
    water = mix(stage.palette.color(0.5, 0.7, 0.07), stage.light.zenith, 0.5)
    fill = texture.waves(water, stage.light.skyline, stage.light.skyline, 1.5)
    stage.paint(Frame.at(0, 0, 0).flat(0, 0.004), shore, fill, "water")
