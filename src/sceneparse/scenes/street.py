"""A street in town."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sceneparse.scenes import figures, nature, plants, texture, town, vehicles
from sceneparse.scenes.canvas import Array, Canvas
from sceneparse.scenes.outdoor import Thing, place, stand
from sceneparse.scenes.space import Frame
from sceneparse.scenes.stage import Stage

_CURB_M = 0.14


def street(canvas: Canvas, rng: np.random.Generator) -> Stage:
    """Draw a street between buildings that runs to the horizon."""
    stage = stand(canvas, rng, 90.0, 1.9)
    stage.camera.eye[0] = rng.uniform(-1.5, 1.5)
    nature.sky(stage)
    if rng.random() < 0.6:
        nature.treeline(stage, 0.06, 0.6)
    half, walk = rng.uniform(3.2, 4.5), rng.uniform(2.0, 3.2)
    nature.ground(stage, nature.meadow(stage), "grass")
    asphalt = stage.palette.color(0.4, 0.68, 0.02)
    nature.ground(stage, _roadway(stage, asphalt, half), "road", (-half, half))
    paving = stage.palette.color(0.55, 0.85, 0.03)
    slabs = texture.tiles(paving, paving, paving * np.float32(0.8), rng.uniform(0.5, 0.9))
    for side in (-1.0, 1.0):
        inner, outer = sorted((side * half, side * (half + walk)))
        curb = Frame.at(0, 0, 0)
        stage.box(curb, (inner, 0, 0.3), (outer, _CURB_M, 300), slabs, "sidewalk")
        _row(stage, side, half + walk)
    place(_street_life(stage, half, walk))
    return stage


def _roadway(stage: Stage, asphalt: Array, half: float) -> Callable[[texture.Texels], Array]:
    ground = texture.rough(asphalt, asphalt * np.float32(0.9), 0.5)
    white = stage.palette.pale().reshape(3, 1, 1)
    crossing = stage.rng.uniform(5, 9) if stage.rng.random() < 0.4 else -9.0

    def fill(at: texture.Texels) -> Array:
        dash = (np.abs(at.s) < 0.08) & (at.t % 4 < 2.2)
        zebra = (np.abs(at.t - np.float32(crossing)) < 1.4) & (at.s % 1.0 < 0.5)
        color = ground(at)
        gutter = 1 - 0.25 * np.exp(-2 * np.abs(np.float32(half) - np.abs(at.s)))
        return (color + (white - color) * np.float32(0.8) * (dash | zebra)) * gutter

    return fill


def _row(stage: Stage, side: float, start: float) -> None:
    """Paint one side of the street, its far end first."""
    rng = stage.rng
    ends = [1.0]
    while ends[-1] < 60:
        ends.append(ends[-1] + rng.uniform(8, 14))
    for near, far in list(pairwise(ends))[::-1]:
        if rng.random() < 0.1:
            plants.tree(stage, Frame.at(side * (start + 3), 0, (near + far) / 2), 7.0)
            continue
        width, deep = far - near - 0.3, 9.0
        front = Frame.at(side * (start + deep / 2), 0, (near + far) / 2, 90 * side)
        town.building(stage, front, (width, deep, float(rng.choice([6.5, 9.5, 12.5, 16.0]))))
        if near < 22 and rng.random() < 0.6:
            wall = Frame.at(side * start, _CURB_M, (near + far) / 2, 90 * side)
            town.shop(stage, wall, width * 0.9)


def _street_life(stage: Stage, half: float, walk: float) -> list[Thing]:
    leafy, lamps = stage.rng.random() < 0.5, stage.rng.random() < 0.75
    things: list[Thing] = []
    for side in (-1.0, 1.0):
        things += _curbside(stage, side, half, (leafy, lamps))
        things += _traffic(stage, side, half)
        things += _walkers(stage, side, (half, walk))
    return things


def _curbside(stage: Stage, side: float, half: float, kinds: tuple[bool, bool]) -> list[Thing]:
    rng = stage.rng
    things: list[Thing] = []
    leafy, lamps = kinds
    for z in np.arange(rng.uniform(4, 7), 50, 12.0).tolist():
        if lamps:
            post = Frame.at(side * (half + 0.5), _CURB_M, z)
            things.append((post, lambda at: town.street_lamp(stage, at, -side)))
        if leafy:
            spot, tall = Frame.at(side * (half + 0.8), _CURB_M, z + 6), rng.uniform(4, 6.5)
            things.append((spot, lambda at, tall=tall: plants.tree(stage, at, tall, "round")))
    if rng.random() < 0.5:
        spot = Frame.at(side * (half + 0.3), _CURB_M, rng.uniform(4, 9))
        things.append((spot, lambda at: town.signpost(stage, at)))
    return things


def _traffic(stage: Stage, side: float, half: float) -> list[Thing]:
    rng = stage.rng
    things: list[Thing] = []
    for z in np.arange(rng.uniform(5, 9), 42, 7.0).tolist():
        if rng.random() < 0.4:
            lane = Frame.at(side * (half - 1.0), 0, z, 0 if side > 0 else 180)
            van = rng.random() < 0.15
            things.append((lane, lambda at, van=van: vehicles.car(stage, at, van)))
    return things


def _walkers(stage: Stage, side: float, span: tuple[float, float]) -> list[Thing]:
    rng = stage.rng
    half, walk = span

    def walker(at: Frame) -> None:
        figures.person(stage, at, rng.uniform(1.5, 1.85))

    def spot() -> Frame:
        return Frame.at(side * (half + rng.uniform(0.7, walk - 0.3)), _CURB_M, rng.uniform(4, 25))

    return [(spot(), walker) for _ in range(rng.integers(0, 3))]
