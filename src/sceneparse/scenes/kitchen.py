"""Kitchen and bathroom, with their fixtures."""

import numpy as np

from sceneparse.scenes import decor, furniture, hangings, room, texture
from sceneparse.scenes.canvas import Array, Canvas
from sceneparse.scenes.indoor import Piece, draw_far_to_near, room_painter
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.room import Room, Wall
from sceneparse.scenes.space import Fill, LocalFrame, ellipse, polygon, rectangle

_COUNTER_M = 0.9


def kitchen(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a kitchen: counters along the far wall, fridge, stove, and a table with chairs."""
    painter = room_painter(canvas, rng)
    here = Room(painter, tiled=True)
    sides = [here.left, here.right]
    rng.shuffle(sides)
    if rng.random() < 0.7:
        hangings.door(painter, sides[0], here.depth * 0.5)
    if rng.random() < 0.6:
        hangings.window(painter, sides[1], here.depth * 0.5, 1.4, 0.9, curtains=rng.random() < 0.5)
        room.sunbeam(painter, sides[1], here.depth * 0.5, 1.2)
    _counter_run(painter, here.back)
    spot = LocalFrame.at(rng.uniform(-0.7, 0.7), 0, here.depth - 2.0, rng.uniform(-12, 12))
    pieces: list[Piece] = _dining(painter, spot) if rng.random() < 0.8 else []
    if rng.random() < 0.4:
        corner = LocalFrame.at(float(rng.choice([-1, 1])) * (here.half - 0.35), 0, here.depth - 1.3)
        pieces.append((corner, lambda at: decor.potted_plant(painter, at, 0.9)))
    draw_far_to_near(painter, pieces)
    if pieces and rng.random() < 0.6:
        decor.pendant(painter, spot.moved(0, here.height, 0), 0.7)
    return painter


def _counter_run(painter: ScenePainter, wall: Wall) -> None:
    """Paint fridge, counters, stove and hanging cupboards along a wall."""
    rng, palette = painter.rng, painter.palette
    front = palette.wood() if rng.random() < 0.4 else palette.color(0.4, 0.92, 0.08)
    doors = texture.panels(front, 0.6, 0.8, palette.dark())
    top = texture.plain(palette.color(0.35, 0.9, 0.03), 0.06, 0.3)
    fridge_x = 0.4 if rng.random() < 0.5 else wall.length - 0.4
    start, end = (0.8, wall.length) if fridge_x < 1 else (0.0, wall.length - 0.8)
    base = wall.frame
    stove_x = rng.uniform(start + 0.5, end - 0.5)
    sink_x = start + 0.6 if stove_x > (start + end) / 2 else end - 0.6
    if rng.random() < 0.7:
        hangings.window(painter, wall, sink_x, 0.95, 1.15, curtains=False)
    painter.contact_shadow(base.moved((start + end) / 2, 0, -0.3), end - start, 0.6, 0.5)
    painter.box(base, (start, 0.0, -0.6), (end, _COUNTER_M - 0.04, 0), doors, "cabinet")
    painter.box(base, (start, _COUNTER_M - 0.04, -0.63), (end, _COUNTER_M, 0), top, "countertop")
    _sink(painter, base.moved(sink_x, _COUNTER_M, -0.3))
    _clutter(painter, base, (start, end), (stove_x, sink_x))
    _stove(painter, base.moved(stove_x, 0, -0.31))
    _hanging_cupboards(painter, wall, (start, end), (stove_x, sink_x), doors)
    _fridge(painter, base.moved(fridge_x, 0, -0.36))


def _stove(painter: ScenePainter, frame: LocalFrame) -> None:
    palette = painter.palette
    color = palette.pale() if painter.rng.random() < 0.5 else palette.color(0.35, 0.7, 0.06)
    glass = palette.dark()
    painter.box(frame, (-0.3, 0.02, -0.33), (0.3, _COUNTER_M + 0.01, 0.3), color, "stove")
    front = frame.upright(0, 0, -0.335)
    lit = painter.lit(color * np.float32(0.85), -frame.forward)
    painter.paint(front, rectangle(-0.3, 0.74, 0.6, 0.012), lit, "stove")
    painter.paint(front, rectangle(-0.24, 0.18, 0.48, 0.42), glass, "oven")
    painter.paint(front, rectangle(-0.2, 0.64, 0.4, 0.03), palette.pale(), "oven")
    for x in (-0.2, -0.07, 0.07, 0.2):
        painter.paint(front, ellipse(x, 0.81, 0.055, 0.055), glass, "stove")
    for x in (-0.14, 0.14):
        for z in (-0.16, 0.12):
            painter.paint(
                frame.flat(0, _COUNTER_M + 0.012), ellipse(x, z, 0.2, 0.2), glass, "stove"
            )
    if painter.rng.random() < 0.6:
        pot = frame.moved(0.14, _COUNTER_M + 0.015, 0.1)
        decor.round_object(
            painter, pot, [(0, 0.11), (0.15, 0.115)], palette.color(0.4, 0.8, 0.12), ""
        )


def _sink(painter: ScenePainter, frame: LocalFrame) -> None:
    steel = mix(painter.palette.pale(), np.full(3, 0.6, np.float32), 0.4)
    flat = frame.flat(0, 0.004)
    painter.paint(flat, ellipse(0, 0, 0.56, 0.42, 6.0), steel, "sink")
    painter.paint(flat, ellipse(0, 0.0, 0.46, 0.32, 6.0), steel * np.float32(0.68), "sink")
    tap = polygon(
        (-0.015, 0),
        (-0.015, 0.26),
        (0.14, 0.26),
        (0.14, 0.2),
        (0.12, 0.2),
        (0.12, 0.235),
        (0.015, 0.235),
        (0.015, 0),
    )
    painter.paint(frame.upright(0, 0, 0.2), tap, steel * np.float32(0.8), "sink")


def _clutter(
    painter: ScenePainter, base: LocalFrame, span: tuple[float, float], taken: tuple[float, float]
) -> None:
    """Paint bottles, bowls and plants on free parts of the counter."""
    for x in np.arange(span[0] + 0.25, span[1] - 0.2, 0.38).tolist():
        if min(abs(x - position) for position in taken) < 0.45 or painter.rng.random() < 0.35:
            continue
        spot = base.moved(x, _COUNTER_M, painter.rng.uniform(-0.3, -0.15))
        kind = painter.rng.random()
        color = painter.palette.color(0.35, 0.85, 0.1)
        if kind < 0.4:
            decor.round_object(
                painter,
                spot,
                [(0, 0.04), (0.16, 0.04), (0.2, 0.015), (0.27, 0.017)],
                color,
                "bottle",
            )
        elif kind < 0.7:
            decor.vase(painter, spot)
        else:
            decor.round_object(painter, spot, [(0, 0.06), (0.18, 0.075)], color, "")


def _hanging_cupboards(
    painter: ScenePainter,
    wall: Wall,
    span: tuple[float, float],
    gaps: tuple[float, float],
    doors: Fill,
) -> None:
    base = wall.frame
    stove_x, sink_x = gaps
    x = span[0]
    while x < span[1] - 0.35:
        wide = min(0.6, span[1] - x)
        middle = x + wide / 2
        if abs(middle - stove_x) > 0.55 and abs(middle - sink_x) > 0.75:
            painter.box(base, (x, 1.5, -0.34), (x + wide, 2.25, 0), doors, "cabinet")
        x += wide
    if painter.rng.random() < 0.75:
        steel = mix(painter.palette.color(0.5, 0.85, 0.03), painter.palette.pale(), 0.4)
        hood = polygon((-0.5, 1.6), (0, 1.6), (0, 2.0), (-0.22, 2.0), (-0.5, 1.7))
        frame = base.moved(stove_x, 0, 0)
        painter.prism(frame, hood, 0.32, steel, "hood")
        painter.box(frame, (-0.14, 2.0, -0.24), (0.14, wall.height, 0), steel, "hood")


def _fridge(painter: ScenePainter, frame: LocalFrame) -> None:
    palette = painter.palette
    color = palette.pale() if painter.rng.random() < 0.5 else palette.color(0.45, 0.85, 0.08)
    tall = painter.rng.uniform(1.6, 1.9)
    painter.contact_shadow(frame, 0.72, 0.7, 0.5)
    painter.box(frame, (-0.36, 0.03, -0.35), (0.36, tall, 0.35), color, "refrigerator")
    front = frame.upright(0, 0, -0.355)
    seam = color * np.float32(0.6)
    painter.paint(front, rectangle(-0.36, tall * 0.64, 0.72, 0.015), seam, "refrigerator")
    for y in (tall * 0.68, tall * 0.42):
        painter.paint(front, rectangle(-0.3, y, 0.03, 0.3), palette.dark(), "refrigerator")


def _dining(painter: ScenePainter, spot: LocalFrame) -> list[Piece]:
    """Return a laid table and the chairs around it."""
    color = painter.palette.wood()
    wide = painter.rng.uniform(1.1, 1.5)

    def laid_table(at: LocalFrame) -> None:
        furniture.table(painter, at, (wide, 0.8, 0.75), "table")
        for x in (-wide * 0.28, wide * 0.28):
            plate = painter.palette.pale()
            painter.paint(at.flat(0, 0.752), ellipse(x, -0.15, 0.26, 0.26), plate, "plate")
            painter.paint(
                at.flat(0, 0.753), ellipse(x, -0.15, 0.18, 0.18), plate * np.float32(0.93), "plate"
            )
        decor.vase(painter, at.moved(0, 0.75, 0.1))

    pieces: list[Piece] = [(spot, laid_table)]
    seats = [
        (-wide / 4, 0.5, 0),
        (wide / 4, 0.5, 0),
        (-wide / 2 - 0.15, 0, -90),
        (wide / 2 + 0.15, 0, 90),
    ]
    for x, z, turn in seats:
        if painter.rng.random() < 0.8:
            position = spot.moved(x, 0, z, turn + painter.rng.uniform(-8, 8))
            pieces.append((position, lambda at: furniture.chair(painter, at, color)))
    return pieces


def bathroom(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a bathroom: tub, basin under a mirror, toilet, towels."""
    painter = room_painter(canvas, rng)
    here = Room(painter, tiled=True, nearer_m=0.7)
    side = float(rng.choice([-1, 1]))
    centre = here.half
    tub_wall, door_wall = (here.left, here.right) if side < 0 else (here.right, here.left)
    if rng.random() < 0.8:
        hangings.window(
            painter, here.back, centre + side * 1.2, 0.9, 1.1, curtains=rng.random() < 0.7
        )
    hangings.door(painter, door_wall, here.depth * 0.45)
    basin_x = centre - side * rng.uniform(0.3, 0.6)
    hangings.mirror(painter, here.back, basin_x, 1.55, (0.6, 0.75))
    _towel(painter, here.back, basin_x - side * 0.75)
    if rng.random() < 0.7:
        room.rug(painter, LocalFrame.at(0, 0, here.depth - 1.6), 1.3, 0.8)
    china = painter.palette.pale() if rng.random() < 0.7 else painter.palette.color(0.7, 0.9, 0.06)
    back = here.back.frame
    along = here.depth - 1.2 if side < 0 else 1.2
    pieces: list[Piece] = [
        (back.moved(basin_x, 0, -0.25), lambda at: _basin(painter, at, china)),
        (back.moved(basin_x - side * 1.4, 0, -0.4), lambda at: _toilet(painter, at, china)),
        (tub_wall.frame.moved(along, 0, -0.42), lambda at: _tub(painter, at, china)),
    ]
    if rng.random() < 0.6:
        corner = back.moved(centre + side * 0.35, 0, -0.4)
        pieces.append((corner, lambda at: decor.potted_plant(painter, at, 0.8)))
    draw_far_to_near(painter, pieces)
    return painter


def _tub(painter: ScenePainter, frame: LocalFrame, china: Array) -> None:
    painter.contact_shadow(frame, 1.7, 0.8, 0.5)
    outer = texture.plain(china, 0.01)
    painter.box(frame, (-0.85, 0, -0.4), (0.85, 0.56, 0.4), outer, "bathtub")
    inside = ellipse(0, 0, 1.5, 0.62, 5.0)
    painter.paint(frame.flat(0, 0.561), inside, china * np.float32(0.72), "bathtub")
    bath = mix(painter.palette.color(0.7, 0.85, 0.05), china, 0.4)
    painter.paint(frame.flat(0.02, 0.561, -0.02), ellipse(0, 0, 1.4, 0.5, 5.0), bath, "bathtub")


def _basin(painter: ScenePainter, frame: LocalFrame, china: Array) -> None:
    if painter.rng.random() < 0.5:
        furniture.cupboard(painter, frame, (0.75, 0.45, 0.78), "cabinet", 2, 1)
    else:
        decor.round_object(painter, frame, [(0, 0.13), (0.1, 0.08), (0.75, 0.09)], china, "sink")
    bowl = frame.moved(0, 0.78, -0.03)
    decor.round_object(painter, bowl, [(0, 0.16), (0.08, 0.28), (0.12, 0.3)], china, "sink")
    painter.paint(bowl.flat(0, 0.121), ellipse(0, 0, 0.5, 0.38), china * np.float32(0.75), "sink")
    painter.box(bowl, (-0.02, 0.12, 0.18), (0.02, 0.28, 0.21), painter.palette.dark(), "sink")
    painter.box(bowl, (-0.02, 0.25, 0.05), (0.02, 0.28, 0.21), painter.palette.dark(), "sink")


def _toilet(painter: ScenePainter, frame: LocalFrame, china: Array) -> None:
    painter.contact_shadow(frame, 0.42, 0.7, 0.5)
    painter.box(frame, (-0.23, 0.4, 0.16), (0.23, 0.82, 0.36), texture.plain(china, 0.0), "toilet")
    bowl = frame.moved(0, 0, -0.08)
    profile = [(0.0, 0.13), (0.12, 0.12), (0.3, 0.19), (0.42, 0.23)]
    decor.round_object(painter, bowl, profile, china, "toilet")
    seat = china * np.float32(0.93)
    painter.paint(bowl.flat(0, 0.425), ellipse(0, 0, 0.44, 0.5), seat, "toilet")


def _towel(painter: ScenePainter, wall: Wall, x: float) -> None:
    plane = wall.frame.upright(x, 1.0, -0.04)
    cloth = painter.lit(furniture.fabric(painter), -wall.frame.forward)
    rail = painter.palette.dark()
    painter.paint(plane, rectangle(-0.3, 0.55, 0.6, 0.025), rail, "")
    painter.paint(plane, rectangle(-0.22, 0, 0.44, 0.58), cloth, "towel")
