"""Scenes by the water: a beach and a mountain lake."""

from collections.abc import Callable

import numpy as np

from sceneparse.scenes import figures, nature, plants, texture, vehicles
from sceneparse.scenes.canvas import Canvas
from sceneparse.scenes.outdoor import Thing, across, draw_far_to_near, outdoor_painter
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import UP, LocalFrame, rectangle


def coast(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a beach: sea, sand, rocks, palms, boats and people."""
    painter = outdoor_painter(canvas, rng, 260.0, 2.4)
    nature.sky(painter)
    if rng.random() < 0.5:
        nature.mountains(painter, 0.02, rng.uniform(0.08, 0.2), 0.6)
    blue = mix(painter.palette.color(0.4, 0.72, 0.09), painter.light.zenith, 0.45)
    swell = texture.waves(blue, painter.light.skyline, np.ones(3, np.float32), 5.0)
    nature.ground(painter, swell, "sea")
    things: list[Thing] = []
    for _ in range(rng.integers(0, 5)):
        far = rng.uniform(35, 120)
        spot = LocalFrame.at(across(painter, far), 0, far)
        size = rng.uniform(4, 8)
        things.append((spot, lambda at, size=size: vehicles.sailboat(painter, at, size)))
    draw_far_to_near(things)
    edge = _beach(painter)
    draw_far_to_near(_beach_life(painter, edge))
    return painter


def _beach(painter: ScenePainter) -> Callable[[float], float]:
    """Paint foam and sand, and return the edge of the sand as a function of x."""
    rng = painter.rng
    slope, start = rng.uniform(-0.5, 0.5), rng.uniform(9, 14)
    wave, turn = rng.uniform(0.3, 1.0), rng.uniform(0, 6)

    def edge(x: float) -> float:
        return float(max(start + slope * x + wave * np.sin(x * 0.5 + turn), 3.0))

    x = np.linspace(-40, 40, 80)
    line = np.array([edge(position) for position in x.tolist()])
    ground = LocalFrame.at(0, 0, 0).flat(0, 0.003)
    sand = mix(painter.palette.soil(), painter.palette.pale(), painter.rng.uniform(0.1, 0.6))
    foam = mix(painter.palette.pale(), np.ones(3, np.float32), 0.6)
    wet = painter.lit(sand * np.float32(0.8), UP)
    dry = painter.lit(texture.rough(sand, mix(sand, painter.palette.soil(), 0.3), 0.5), UP)
    for shift, fill, name in ((0.7, foam, "sea"), (0.0, wet, "sand"), (-0.9, dry, "sand")):
        rim = np.stack([x, line + shift + 0.12 * np.sin(x * 2.1 + shift)], axis=1)
        outline = np.concatenate([rim, [[40, 0.3], [-40, 0.3]]]).astype(np.float32)
        painter.paint(ground, outline, fill, name)
    return edge


def _beach_life(painter: ScenePainter, edge: Callable[[float], float]) -> list[Thing]:
    rng = painter.rng

    def spot() -> LocalFrame:
        x = across(painter, 9.0)
        return LocalFrame.at(x, 0, float(rng.uniform(3.5, max(edge(x) - 0.8, 4))))

    def palm(at: LocalFrame) -> None:
        plants.palm(painter, at, rng.uniform(3.5, 6))

    def rock(at: LocalFrame) -> None:
        nature.rock(painter, at, rng.uniform(0.5, 1.8))

    def person(at: LocalFrame) -> None:
        figures.person(painter, at, rng.uniform(1.2, 1.8))

    def bush(at: LocalFrame) -> None:
        plants.bush(painter, at, 1.0, blossoms=False)

    def parasol(at: LocalFrame) -> None:
        _parasol(painter, at)

    most = ((palm, 3), (rock, 5), (person, 4), (bush, 1), (parasol, 1))
    return [(spot(), draw) for draw, count in most for _ in range(rng.integers(0, count + 1))]


def _parasol(painter: ScenePainter, at: LocalFrame) -> None:
    """Paint a parasol, unlabelled since ADE20K has no such class."""
    nature.cast_shadow(painter, at, 1.6, 1.6)
    face = painter.facing(at).upright()
    angle = np.linspace(0, np.pi, 16)
    dome = np.stack([np.cos(angle) * 1.15, 1.75 + np.sin(angle) * 0.55], 1).astype(np.float32)
    painter.paint(face, rectangle(-0.03, 0, 0.06, 1.8), painter.palette.wood(), "")
    cloth = texture.stripes(painter.palette.color(0.5, 0.8, 0.14), painter.palette.pale(), 0.33)
    painter.paint(face, dome, painter.lit(cloth, UP), "")


def mountain_lake(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a lake below mountains with pines, rocks and meadows."""
    painter = outdoor_painter(canvas, rng, 200.0, 2.2)
    nature.sky(painter)
    for level, distance in ((0.22, 0.75), (0.13, 0.45)):
        nature.mountains(painter, level, rng.uniform(0.15, 0.3), distance)
    if rng.random() < 0.6:
        nature.hills(painter, 0.04, 0.06, 0.4)
    nature.treeline(painter, rng.uniform(0.03, 0.06), 0.4)
    blue = mix(painter.palette.color(0.45, 0.7, 0.07), painter.light.zenith, 0.5)
    nature.ground(
        painter, texture.waves(blue, painter.light.skyline, painter.light.skyline, 3.0), "lake"
    )
    _bank(painter)
    things: list[Thing] = []
    for _ in range(rng.integers(4, 10)):
        far = rng.uniform(8, 15)
        tall = rng.uniform(3, 6.5)
        kind = str(rng.choice(["pine", "pine", "round", "poplar"]))
        aside = 0.35 + 0.65 * np.abs(rng.normal(0.5, 0.4))
        edge = (
            float(rng.choice([-1, 1]) * aside)
            * far
            * painter.relative_width
            / 2
            / painter.camera.focal
        )
        spot = LocalFrame.at(edge, 0, far)
        things.append((spot, lambda at, t=tall, k=kind: plants.tree(painter, at, t, k)))
    for _ in range(rng.integers(1, 6)):
        near = rng.uniform(3.5, 11)
        spot = LocalFrame.at(across(painter, near), 0, near)
        things.append((spot, lambda at: nature.rock(painter, at, rng.uniform(0.5, 1.8))))
    if rng.random() < 0.4:
        near = rng.uniform(4, 8)
        things.append(
            (LocalFrame.at(across(painter, near), 0, near), lambda at: figures.person(painter, at))
        )
    draw_far_to_near(things)
    return painter


def _bank(painter: ScenePainter) -> None:
    """Paint the near shore: a strip of earth, then meadow."""
    rng = painter.rng
    x = np.linspace(-40, 40, 90)
    line = (
        rng.uniform(11, 17)
        + rng.uniform(-0.5, 0.5) * x
        + 1.3 * np.sin(x * 0.35 + rng.uniform(0, 6))
    )
    ground = LocalFrame.at(0, 0, 0).flat(0, 0.003)
    soil = painter.palette.soil()
    earth = painter.lit(texture.rough(soil, soil * np.float32(0.85), 0.6), UP)
    grass = painter.lit(nature.meadow(painter), UP)
    wide = rng.uniform(1.5, 4.0)
    for shift, fill, name in ((0.0, earth, "earth"), (-wide, grass, "grass")):
        rim = np.stack([x, np.maximum(line + shift + 0.2 * np.sin(x * 1.7 + shift), 2.5)], axis=1)
        outline = np.concatenate([rim, [[40, 0.3], [-40, 0.3]]]).astype(np.float32)
        painter.paint(ground, outline, fill, name)
