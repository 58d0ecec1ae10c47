"""A street in a town."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sceneparse.scenes import figures, nature, plants, texture, town, vehicles
from sceneparse.scenes.canvas import Array, Canvas
from sceneparse.scenes.outdoor import Thing, draw_far_to_near, outdoor_painter
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.space import LocalFrame

_CURB_M = 0.14


def street(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a street between buildings that runs to the horizon."""
    painter = outdoor_painter(canvas, rng, 90.0, 1.9)
    painter.camera.eye[0] = rng.uniform(-1.5, 1.5)
    nature.sky(painter)
    if rng.random() < 0.6:
        nature.treeline(painter, 0.06, 0.6)
    half, walk = rng.uniform(3.2, 4.5), rng.uniform(2.0, 3.2)
    nature.ground(painter, nature.meadow(painter), "grass")
    asphalt = painter.palette.color(0.4, 0.68, 0.02)
    nature.ground(painter, _roadway(painter, asphalt, half), "road", (-half, half))
    paving = painter.palette.color(0.55, 0.85, 0.03)
    slabs = texture.tiled_floor(paving, paving, paving * np.float32(0.8), rng.uniform(0.5, 0.9))
    for side in (-1.0, 1.0):
        inner, outer = sorted((side * half, side * (half + walk)))
        curb = LocalFrame.at(0, 0, 0)
        painter.box(curb, (inner, 0, 0.3), (outer, _CURB_M, 300), slabs, "sidewalk")
        _row(painter, side, half + walk)
    draw_far_to_near(_street_life(painter, half, walk))
    return painter


def _roadway(
    painter: ScenePainter, asphalt: Array, half: float
) -> Callable[[texture.Texels], Array]:
    ground = texture.rough(asphalt, asphalt * np.float32(0.9), 0.5)
    white = painter.palette.pale().reshape(3, 1, 1)
    crossing = painter.rng.uniform(5, 9) if painter.rng.random() < 0.4 else -9.0

    def fill(at: texture.Texels) -> Array:
        dash = (np.abs(at.s) < 0.08) & (at.t % 4 < 2.2)
        zebra = (np.abs(at.t - np.float32(crossing)) < 1.4) & (at.s % 1.0 < 0.5)
        color = ground(at)
        gutter = 1 - 0.25 * np.exp(-2 * np.abs(np.float32(half) - np.abs(at.s)))
        return (color + (white - color) * np.float32(0.8) * (dash | zebra)) * gutter

    return fill


def _row(painter: ScenePainter, side: float, start: float) -> None:
    """Paint the buildings on one side of the street, from far to near."""
    rng = painter.rng
    ends = [1.0]
    while ends[-1] < 60:
        ends.append(ends[-1] + rng.uniform(8, 14))
    for near, far in list(pairwise(ends))[::-1]:
        if rng.random() < 0.1:
            plants.tree(painter, LocalFrame.at(side * (start + 3), 0, (near + far) / 2), 7.0)
            continue
        width, deep = far - near - 0.3, 9.0
        front = LocalFrame.at(side * (start + deep / 2), 0, (near + far) / 2, 90 * side)
        town.building(painter, front, (width, deep, float(rng.choice([6.5, 9.5, 12.5, 16.0]))))
        if near < 22 and rng.random() < 0.6:
            wall = LocalFrame.at(side * start, _CURB_M, (near + far) / 2, 90 * side)
            town.shop(painter, wall, width * 0.9)


def _street_life(painter: ScenePainter, half: float, walk: float) -> list[Thing]:
    leafy, lamps = painter.rng.random() < 0.5, painter.rng.random() < 0.75
    things: list[Thing] = []
    for side in (-1.0, 1.0):
        things += _curbside(painter, side, half, (leafy, lamps))
        things += _traffic(painter, side, half)
        things += _walkers(painter, side, (half, walk))
    return things


def _curbside(
    painter: ScenePainter, side: float, half: float, kinds: tuple[bool, bool]
) -> list[Thing]:
    rng = painter.rng
    things: list[Thing] = []
    leafy, lamps = kinds
    for z in np.arange(rng.uniform(4, 7), 50, 12.0).tolist():
        if lamps:
            post = LocalFrame.at(side * (half + 0.5), _CURB_M, z)
            things.append((post, lambda at: town.street_lamp(painter, at, -side)))
        if leafy:
            spot, tall = LocalFrame.at(side * (half + 0.8), _CURB_M, z + 6), rng.uniform(4, 6.5)
            things.append((spot, lambda at, tall=tall: plants.tree(painter, at, tall, "round")))
    if rng.random() < 0.5:
        spot = LocalFrame.at(side * (half + 0.3), _CURB_M, rng.uniform(4, 9))
        things.append((spot, lambda at: town.signpost(painter, at)))
    return things


def _traffic(painter: ScenePainter, side: float, half: float) -> list[Thing]:
    rng = painter.rng
    things: list[Thing] = []
    for z in np.arange(rng.uniform(5, 9), 42, 7.0).tolist():
        if rng.random() < 0.4:
            lane = LocalFrame.at(side * (half - 1.0), 0, z, 0 if side > 0 else 180)
            van = rng.random() < 0.15
            things.append((lane, lambda at, van=van: vehicles.car(painter, at, van)))
    return things


def _walkers(painter: ScenePainter, side: float, span: tuple[float, float]) -> list[Thing]:
    rng = painter.rng
    half, walk = span

    def walker(at: LocalFrame) -> None:
        figures.person(painter, at, rng.uniform(1.5, 1.85))

    def spot() -> LocalFrame:
        return LocalFrame.at(
            side * (half + rng.uniform(0.7, walk - 0.3)), _CURB_M, rng.uniform(4, 25)
        )

    return [(spot(), walker) for _ in range(rng.integers(0, 3))]
