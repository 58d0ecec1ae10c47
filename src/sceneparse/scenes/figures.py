"""People and animals."""

import numpy as np

from sceneparse.scenes.canvas import Array
from sceneparse.scenes.nature import cast_shadow
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import oklch
from sceneparse.scenes.plants import bumpy_outline
from sceneparse.scenes.space import LocalFrame, ellipse, polygon, rectangle


def person(painter: ScenePainter, frame: LocalFrame, height: float = 1.7) -> None:
    """Paint a walking person in a coat or shirt."""
    rng, palette = painter.rng, painter.palette
    cast_shadow(painter, frame, 0.5, height * 0.5)
    face = painter.facing(frame)
    plane = face.upright()
    unit = height / 1.7
    skin = oklch(rng.uniform(0.45, 0.85), 0.06, rng.uniform(45, 70))
    top, legs, hair = (
        palette.color(0.35, 0.85, 0.11),
        palette.color(0.25, 0.6, 0.05),
        palette.dark(),
    )
    stride, hem = rng.uniform(0.02, 0.2), rng.uniform(0.5, 0.95)

    def part(corners: Array, color: Array) -> None:
        painter.paint(
            plane, corners * np.float32(unit), painter.lit(color, -face.forward), "person"
        )

    for side in (-1, 1):
        foot = side * stride
        part(
            polygon(
                (side * 0.02, 0.85),
                (side * 0.15, 0.85),
                (foot + side * 0.07, 0.0),
                (foot - side * 0.06, 0.0),
            ),
            legs * np.float32(0.85 if side < 0 else 1),
        )
        hand = side * rng.uniform(0.24, 0.36)
        part(
            polygon(
                (side * 0.14, 1.42),
                (side * 0.22, 1.38),
                (hand + side * 0.04, 0.85),
                (hand - side * 0.05, 0.85),
            ),
            top * np.float32(0.85),
        )
        part(ellipse(hand, 0.83, 0.09, 0.09), skin)
    part(
        polygon(
            (-0.13, hem - 0.1),
            (-0.21, 1.38),
            (-0.1, 1.46),
            (0.1, 1.46),
            (0.21, 1.38),
            (0.13 + 0.3 * (0.95 - hem), hem - 0.1),
        ),
        top,
    )
    part(rectangle(-0.05, 1.42, 0.1, 0.1), skin * np.float32(0.9))
    part(ellipse(0, 1.62, 0.24, 0.27), hair)
    part(ellipse(rng.uniform(-0.03, 0.03), 1.585, 0.19, 0.22), skin)


def animal(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a sheep or cow, seen from the side."""
    rng = painter.rng
    cow = rng.random() < 0.5
    size = 1.3 if cow else 0.8
    painter.contact_shadow(frame, size * 1.1, 0.4, 0.4)
    face = painter.facing(frame)
    coat = painter.palette.wood() if cow else painter.palette.pale()
    dark = coat * np.float32(0.55)
    ahead = float(rng.choice([-1, 1]))

    def part(outline: Array, color: Array) -> None:
        painter.paint(
            face.upright(), outline * np.float32(size), painter.lit(color, -face.forward), "animal"
        )

    for x in (-0.35, -0.25, 0.22, 0.33):
        part(rectangle(x, 0, 0.07, 0.4), dark)
    body = ellipse(0, 0.58, 1.0, 0.5, 2.6) if cow else bumpy_outline(rng, 0, 0.55, (0.52, 0.33))
    part(body, coat)
    if cow:
        part(ellipse(rng.uniform(-0.2, 0.2), 0.62, 0.3, 0.24), painter.palette.pale())
    part(ellipse(ahead * 0.58, 0.74, 0.3, 0.24), dark if not cow else coat)
