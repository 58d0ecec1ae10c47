"""A study with desk, screen and books."""

import numpy as np

from sceneparse.scenes import decor, furniture, hangings, room, texture
from sceneparse.scenes.canvas import Canvas
from sceneparse.scenes.indoor import Piece, draw_far_to_near, room_painter
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.room import Room, Wall
from sceneparse.scenes.space import LocalFrame, ellipse, polygon, rectangle


def study(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a study: desk with a screen and a chair, bookcases, a clock, an armchair."""
    painter = room_painter(canvas, rng)
    here = Room(painter)
    side = float(rng.choice([-1, 1]))
    middle = here.half + side * rng.uniform(0.2, 0.7)
    if rng.random() < 0.6:
        hangings.window(painter, here.back, middle, 1.6, 1.0, curtains=rng.random() < 0.7)
    else:
        hangings.shelf(painter, here.back, middle, 1.65, 1.4)
        _clock(painter, here.back, middle, 2.2)
    lit = here.left if side > 0 else here.right
    hangings.window(painter, lit, here.depth * 0.5, 1.3, 0.9, curtains=rng.random() < 0.6)
    room.sunbeam(painter, lit, here.depth * 0.5, 1.2)
    if rng.random() < 0.6:
        room.rug(painter, LocalFrame.at(middle - here.half, 0, here.depth - 1.7), 2.3, 1.6)
    back = here.back.frame
    wide = rng.uniform(1.3, 1.7)
    pieces: list[Piece] = [
        (back.moved(middle, 0, -0.4), lambda at: _desk(painter, at, wide)),
        (
            back.moved(middle + rng.uniform(-0.3, 0.3), 0, -1.1, rng.uniform(130, 230)),
            lambda at: _desk_chair(painter, at),
        ),
        (
            back.moved(middle - side * (wide / 2 + 0.85), 0, -0.18),
            lambda at: furniture.bookcase(painter, at, 1.1, rng.uniform(1.5, 2.2), "bookcase"),
        ),
    ]
    other = here.right if side > 0 else here.left
    along = 1.3 if other is here.right else here.depth - 1.3
    if rng.random() < 0.6:
        cabinet = other.frame.moved(along, 0, -0.24)
        size = (1.0, 0.45, rng.uniform(0.8, 1.3))
        pieces.append((cabinet, lambda at: furniture.cupboard(painter, at, size, "cabinet", 2, 2)))
    if rng.random() < 0.5:
        seat = LocalFrame.at(-side * (here.half - 0.9), 0, here.depth - 1.7, -side * 60)
        pieces.append((seat, lambda at: furniture.sofa(painter, at, 0.85, "armchair")))
    basket = back.moved(middle + side * (wide / 2 + 0.2), 0, -0.5)
    pieces.append((basket, lambda at: _basket(painter, at)))
    draw_far_to_near(painter, pieces)
    return painter


def _desk(painter: ScenePainter, frame: LocalFrame, wide: float) -> None:
    timber = texture.wood(painter.palette.wood())
    half, high = wide / 2, 0.74
    painter.contact_shadow(frame, wide, 0.7, 0.4)
    for x in (-half, half - 0.05):
        painter.box(frame, (x, 0, -0.33), (x + 0.05, high, 0.33), timber, "desk")
    painter.box(frame, (-half + 0.05, 0.45, 0.28), (half - 0.05, high, 0.31), timber, "desk")
    painter.box(frame, (-half, high - 0.05, -0.36), (half, high, 0.36), timber, "desk")
    screen_x = painter.rng.uniform(-0.15, 0.15)
    _screen(painter, frame.moved(screen_x, high, 0.12))
    decor.table_lamp(painter, frame.moved(-half + 0.2, high, 0.1))
    books = frame.moved(half - 0.3, high, 0.15)
    decor.shelf_books(painter, books, 0.5)


def _screen(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a monitor with a bright image."""
    palette, name = painter.palette, "computer"
    black = palette.dark()
    painter.box(frame, (-0.12, 0, -0.08), (0.12, 0.015, 0.08), black, name)
    painter.box(frame, (-0.02, 0, 0.0), (0.02, 0.15, 0.02), black, name)
    painter.box(frame, (-0.32, 0.12, -0.02), (0.32, 0.52, 0.01), black, name)
    glow = texture.gradient(palette.color(0.5, 0.8, 0.12), palette.color(0.7, 0.9, 0.1), 0.4)
    painter.paint(frame.upright(0, 0.14, -0.022), rectangle(-0.3, 0, 0.6, 0.36), glow, name)
    for y in (0.08, 0.15, 0.22):
        long = painter.rng.uniform(0.15, 0.4)
        bar = rectangle(-0.24, y, long, 0.03)
        painter.paint(frame.upright(0, 0.14, -0.023), bar, palette.pale(), name)
    painter.box(frame, (-0.2, 0, -0.28), (0.2, 0.02, -0.15), palette.pale(), name)


def _desk_chair(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a swivel chair: star base, column, seat and back."""
    name = "swivel chair"
    cloth = texture.plain(painter.palette.color(0.3, 0.75, 0.1), 0.04, 0.5)
    black = painter.palette.dark()
    painter.contact_shadow(frame, 0.5, 0.5, 0.5)
    for turn in (0, 72, 144, 216, 288):
        arm = frame.moved(0, 0, 0, turn)
        painter.box(arm, (-0.02, 0.05, 0), (0.02, 0.09, 0.28), black, name)
    decor.round_object(painter, frame, [(0.08, 0.03), (0.42, 0.03)], black, name)
    back_first = frame.local(painter.camera.eye)[2] < 0

    def back() -> None:
        rounded = ellipse(0, 0.8, 0.46, 0.5, 5.0)
        side = -frame.forward if back_first else frame.forward
        painter.paint(frame.upright(0, 0, 0.24), rounded, painter.lit(cloth, side), name)

    if back_first:
        back()
    painter.box(frame, (-0.24, 0.42, -0.24), (0.24, 0.5, 0.24), cloth, name)
    if not back_first:
        back()


def _basket(painter: ScenePainter, frame: LocalFrame) -> None:
    painter.contact_shadow(frame, 0.3, 0.3, 0.45)
    color = painter.palette.color(0.35, 0.8)
    decor.round_object(painter, frame, [(0, 0.12), (0.32, 0.16)], color, "ashcan")
    paper = mix(painter.palette.pale(), np.ones(3, np.float32), 0.5)
    painter.paint(frame.flat(0, 0.32), ellipse(0, 0, 0.2, 0.16), paper, "")


def _clock(painter: ScenePainter, wall: Wall, x: float, y: float) -> None:
    plane = wall.frame.upright(x, y, -0.03)
    painter.paint(plane, ellipse(0, 0, 0.36, 0.36), painter.palette.dark(), "clock")
    painter.paint(plane, ellipse(0, 0, 0.3, 0.3), painter.palette.pale(), "clock")
    hands = polygon((-0.01, 0), (0.0, 0.12), (0.01, 0.01), (0.09, -0.02), (0.0, -0.02))
    painter.paint(plane, hands, painter.palette.dark(), "clock")
