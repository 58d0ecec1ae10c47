"""Small objects of a room: books, vases, plants and lamps."""

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import LocalFrame, Vector, polygon, rectangle


def round_object(
    painter: ScenePainter,
    frame: LocalFrame,
    profile: list[tuple[float, float]],
    color: Array,
    name: str,
) -> None:
    """Paint a round object from its profile: pairs of height and radius, from foot to rim."""
    away = painter.camera.eye - frame.origin
    face = LocalFrame.on(frame.origin, float(np.rad2deg(np.arctan2(-away[0], -away[2]))))
    tilt = float(away[1]) / max(float(np.hypot(away[0], away[2])), 0.3)
    heights = np.array(profile, np.float32)
    widest = np.float32(max(heights[:, 1].max(), 1e-3))
    arc = np.linspace(0, np.pi, 9, dtype=np.float32)[1:-1]
    bulge = np.sin(arc) * np.float32(min(abs(tilt), 0.8))
    foot, rim = heights[0], heights[-1]
    outline = np.concatenate(
        [
            np.stack([heights[:, 1], heights[:, 0]], 1),
            np.stack([np.cos(arc) * rim[1], rim[0] + bulge * rim[1]], 1),
            np.stack([-heights[::-1, 1], heights[::-1, 0]], 1),
            np.stack([-np.cos(arc) * foot[1], foot[0] - bulge * foot[1]], 1),
        ]
    )
    side = np.float32(0.4 * np.sign(painter.light.towards[0]))
    tone = color.reshape(3, 1, 1) * (painter.light.shade + 0.7 * painter.light.sun).reshape(3, 1, 1)

    def fill(at: texture.Texels) -> Array:
        across = np.clip(at.s / widest, -1, 1) - side
        return tone * (1.08 - 0.28 * across * across)

    painter.paint(face.upright(), outline.astype(np.float32), fill, name)


def books(painter: ScenePainter, frame: LocalFrame, corner: Vector, width: float) -> None:
    """Paint books side by side from a corner in frame coordinates, with gaps."""
    rng = painter.rng
    colors = [painter.palette.color(0.3, 0.85) for _ in range(7)]
    fill = painter.lit(texture.spines(colors), -frame.forward)
    patch = frame.upright(*corner)
    x = 0.0
    while x < width - 0.1:
        run = min(rng.uniform(0.15, 0.5), width - x)
        if rng.random() < 0.8:
            painter.paint(patch, rectangle(x, 0, run, rng.uniform(0.19, 0.29)), fill, "book")
        x += run + 0.02


def shelf_books(painter: ScenePainter, frame: LocalFrame, width: float) -> None:
    """Paint books and a vase on a shelf board at the height of the frame."""
    books(painter, frame, (-width / 2 + 0.05, 0.0, -0.06), width * painter.rng.uniform(0.4, 0.7))
    vase(painter, frame.moved(width * 0.36, 0, 0))


def vase(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a small vase, sometimes with flowers."""
    tall, wide = painter.rng.uniform(0.16, 0.3), painter.rng.uniform(0.06, 0.1)
    profile = [(0, wide * 0.6), (tall * 0.4, wide), (tall * 0.85, wide * 0.45), (tall, wide * 0.55)]
    if painter.rng.random() < 0.6:
        leaves(painter, frame.moved(0, tall, 0), 0.3, "flower")
    round_object(painter, frame, profile, painter.palette.color(0.45, 0.9), "vase")


def leaves(painter: ScenePainter, frame: LocalFrame, size: float, name: str) -> None:
    """Paint a fan of pointed leaves that grow from a point."""
    rng = painter.rng
    face = painter.facing(frame).upright()
    color = painter.palette.leaf() if name == "plant" else painter.palette.color(0.5, 0.85, 0.13)
    for angle in rng.permutation(np.linspace(-1.15, 1.15, int(rng.integers(7, 12)))):
        long, wide = size * rng.uniform(0.65, 1.05), size * rng.uniform(0.1, 0.17)
        bend = angle * rng.uniform(1.1, 1.5)
        tip = (np.sin(bend) * long, np.cos(bend) * long)
        middle = (np.sin(angle) * long * 0.55, np.cos(angle) * long * 0.55)
        across = (np.cos(angle) * wide, -np.sin(angle) * wide)
        blade = polygon(
            (0.0, 0.0),
            (middle[0] + across[0], middle[1] + across[1]),
            tip,
            (middle[0] - across[0], middle[1] - across[1]),
        )
        painter.paint(face, blade, color * np.float32(rng.uniform(0.7, 1.15)), name)


def potted_plant(painter: ScenePainter, frame: LocalFrame, size: float = 1.0) -> None:
    """Paint a plant in a pot."""
    painter.contact_shadow(frame, 0.4 * size, 0.4 * size, 0.4)
    pot = [(0.0, 0.13 * size), (0.32 * size, 0.19 * size)]
    leaves(painter, frame.moved(0, 0.3 * size, 0), 0.85 * size, "plant")
    round_object(painter, frame, pot, painter.palette.color(0.45, 0.9, 0.07), "pot")


def floor_lamp(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a floor lamp with a glowing shade."""
    tall = painter.rng.uniform(1.4, 1.7)
    painter.contact_shadow(frame, 0.3, 0.3, 0.3)
    round_object(
        painter,
        frame,
        [(0, 0.14), (0.03, 0.13), (0.04, 0.018), (tall, 0.018)],
        painter.palette.dark(),
        "lamp",
    )
    shade(painter, frame.moved(0, tall - 0.05, 0), 1.0)


def table_lamp(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a small lamp for a bedside table."""
    round_object(
        painter,
        frame,
        [(0, 0.08), (0.1, 0.1), (0.18, 0.03), (0.26, 0.02)],
        painter.palette.color(),
        "lamp",
    )
    shade(painter, frame.moved(0, 0.22, 0), 0.75)


def shade(painter: ScenePainter, frame: LocalFrame, size: float, name: str = "lamp") -> None:
    """Paint a lampshade and the halo around it."""
    foot, rim = 0.23 * size, painter.rng.uniform(0.1, 0.2) * size
    cloth = mix(painter.palette.pale(), painter.palette.color(0.7, 0.9), 0.3) * np.float32(1.12)
    round_object(painter, frame, [(0, foot), (0.3 * size, rim)], cloth, name)
    painter.glow(frame.world(0, 0.1 * size, 0), 1.1 * size, _GLOW * np.float32(0.3))


def pendant(painter: ScenePainter, frame: LocalFrame, drop: float) -> None:
    """Paint a lamp that hangs from the ceiling at the origin of the frame."""
    face = painter.facing(frame).upright()
    painter.paint(face, rectangle(-0.008, -drop, 0.016, drop), painter.palette.dark(), "chandelier")
    shade(painter, frame.moved(0, -drop - 0.2, 0), 0.85, "chandelier")


_GLOW = np.array([1.0, 0.8, 0.5], np.float32)
