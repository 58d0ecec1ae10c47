"""A room: floor, walls and ceiling, rugs and sunlight."""

from dataclasses import dataclass

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.noise import line
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import Fill, LocalFrame, ellipse, polygon, rectangle


@dataclass(frozen=True)
class Wall:
    """One wall: its frame has x along the wall from its left end, and z into the wall."""

    frame: LocalFrame
    length: float
    height: float


class Room:
    """An empty room, painted when it is created.

    Args:
        painter: The painter of the scene.
        tiled: Prefer tiles, as in kitchens and bathrooms.
        nearer_m: Difference in depth from a living room, in metres.

    Attributes:
        back: The far wall.
        left: The wall on the left.
        right: The wall on the right.
        half: Half the width, in metres.
        depth: Distance of the far wall, in metres.
        height: Height of the ceiling, in metres.
    """

    def __init__(self, painter: ScenePainter, tiled: bool = False, nearer_m: float = 0.0) -> None:
        rng = painter.rng
        self.half = rng.uniform(2.0, 2.5) * max(painter.relative_width, 0.75)
        self.depth = rng.uniform(4.0, 4.9) - nearer_m
        self.height = rng.uniform(2.5, 2.9)
        self.back = Wall(LocalFrame.at(-self.half, 0, self.depth), 2 * self.half, self.height)
        self.left = Wall(LocalFrame.at(-self.half, 0, 0, -90), self.depth, self.height)
        self.right = Wall(LocalFrame.at(self.half, 0, self.depth, 90), self.depth, self.height)
        self._shell(painter, tiled)

    def _shell(self, painter: ScenePainter, tiled: bool) -> None:
        ground = LocalFrame.at(0, 0, 0)
        half, depth = np.float32(self.half), np.float32(self.depth)
        # The background colour hides seams between walls.
        painter.paint(
            painter.backdrop, rectangle(-3, -3, 6, 6), painter.palette.color(0.4, 0.6), "wall"
        )
        area = rectangle(-self.half, -1, 2 * self.half, self.depth + 1)

        def corners(at: texture.Texels) -> Array:
            edge = np.minimum(half - np.abs(at.s), depth - at.t)
            return 1 - 0.3 * np.exp(-np.maximum(edge, 0) * np.float32(2.2))[None]

        up = np.array([0, 1, 0], np.float32)
        floor = painter.lit(flooring(painter, tiled), up)
        ceiling = texture.plain(mix(painter.palette.pale(), np.ones(3, np.float32), 0.4), 0.015)
        ceiling = painter.lit(ceiling, painter.light.towards * np.float32(0.4))
        painter.paint(ground.flat(0, self.height), area, _times(ceiling, corners), "ceiling")
        painter.paint(ground.flat(), area, _times(floor, corners), "floor")
        covering = wall_covering(painter, tiled)
        accent = wall_covering(painter, tiled) if painter.rng.random() < 0.25 else covering
        skirting = painter.palette.pale()
        for wall, fill in ((self.left, covering), (self.right, covering), (self.back, accent)):
            _paint_wall(painter, wall, fill, skirting)


def _times(fill: Fill, other: Fill) -> Fill:
    return lambda at: fill(at) * other(at)


def _paint_wall(painter: ScenePainter, wall: Wall, fill: Fill, skirting: Array) -> None:
    frame, height = wall.frame, np.float32(wall.height)
    front = 1.0 if frame.forward[2] < 0.5 else 0.0
    start = -front if frame.forward[0] < -0.5 else 0.0
    length = wall.length + front
    lit = painter.lit(fill, -frame.forward)

    def corners(at: texture.Texels) -> Array:
        edge = np.minimum(np.maximum(at.t, 0), np.maximum(height - at.t, 0))
        side = np.minimum(np.maximum(at.s, 0), np.maximum(np.float32(wall.length) - at.s, 0))
        return (1 - 0.2 * np.exp(-3 * edge) - 0.16 * np.exp(-2 * side))[None]

    painter.paint(
        frame.upright(), rectangle(start, 0, length, wall.height), _times(lit, corners), "wall"
    )
    tone = painter.lit(skirting * np.float32(0.9), -frame.forward)
    painter.paint(frame.upright(), rectangle(start, 0, length, 0.1), tone, "wall")


def flooring(painter: ScenePainter, tiled: bool) -> Fill:
    """Draw a random floor: boards, parquet, tiles or carpet."""
    palette, rng = painter.palette, painter.rng
    kind = rng.random() * (0.45 if tiled else 1.0)
    if kind < 0.3:
        other = palette.pale() if rng.random() < 0.5 else palette.color(0.4, 0.8, 0.06)
        first = palette.color(0.4, 0.9, 0.05)
        same = first if rng.random() < 0.4 else other
        return texture.tiled_floor(
            first, same, palette.color(0.5, 0.8, 0.02), rng.uniform(0.25, 0.5)
        )
    if kind < 0.72:
        return texture.planks(palette.wood(), rng.uniform(0.12, 0.22))
    if kind < 0.87:
        return texture.herringbone(palette.wood(), rng.uniform(0.1, 0.16))
    return texture.plain(palette.color(0.45, 0.85, 0.05), 0.06, 1.0)


def wall_covering(painter: ScenePainter, tiled: bool) -> Fill:
    """Draw a random wall: paint, wallpaper, panelling, bricks or tiles."""
    palette, rng = painter.palette, painter.rng
    color = palette.color(0.5, 0.93, 0.07)
    other = mix(color, palette.pale(), rng.uniform(0.2, 0.5))
    kind = rng.random()
    if tiled and kind < 0.6:
        return texture.tiled_floor(color, other, palette.pale(), rng.uniform(0.15, 0.25))
    if kind < 0.62:
        return texture.plain(color, 0.02, 3.0)
    if kind < 0.76:
        return texture.stripes(color, other, rng.uniform(0.08, 0.2))
    if kind < 0.85:
        return texture.dots(color, other, rng.uniform(0.25, 0.4), rng.uniform(0.04, 0.07))
    if kind < 0.93:
        return texture.planks(other, 0.14, 50.0)
    return texture.bricks(color, other)


def rug(painter: ScenePainter, frame: LocalFrame, width: float, length: float) -> None:
    """Paint a rug on the floor, rectangular or oval."""
    palette = painter.palette
    colors = [palette.color(0.4, 0.85), palette.color(0.55, 0.95, 0.06), palette.color(0.4, 0.9)]
    fill = texture.carpet(colors, width, length, painter.rng.random() < 0.5)
    outline = ellipse(0, 0, width, length, float(painter.rng.choice([2.0, 30.0])))
    up = np.array([0, 1, 0], np.float32)
    painter.paint(frame.flat(0, 0.005), outline, painter.lit(fill, up), "rug")


def sunbeam(painter: ScenePainter, wall: Wall, x: float, width: float) -> None:
    """Paint light that falls through a window onto the floor in front of its wall."""
    slant = painter.rng.uniform(-0.6, 0.6)
    start, reach = 0.5, painter.rng.uniform(1.2, 1.9)
    beam = polygon(
        (x - width / 2 + slant * start, -start),
        (x + width / 2 + slant * start, -start),
        (x + width / 2 + slant * reach, -reach),
        (x - width / 2 + slant * reach, -reach),
    )
    warm = (1 + painter.light.sun * np.float32(0.85)).reshape(3, 1, 1)

    def fill(at: texture.Texels) -> Array:
        across = (at.s - np.float32(x) + np.float32(slant) * at.t) / np.float32(width) + 0.5
        bar = line(across, 0.5, 0.05)
        fade = np.clip((reach + at.t) * 2.5, 0, 1) * np.clip(
            np.minimum(across, 1 - across) * 9, 0, 1
        )
        return 1 + (warm - 1) * (fade * (1 - 0.8 * bar))[None]

    painter.tint(wall.frame.flat(0, 0.003), beam, fill)
