"""Living room and bedroom."""

from collections.abc import Callable

import numpy as np

from sceneparse.scenes import decor, furniture, hangings, room
from sceneparse.scenes.canvas import Canvas
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import draw_light
from sceneparse.scenes.room import Room, Wall
from sceneparse.scenes.space import Camera, LocalFrame

Piece = tuple[LocalFrame, Callable[[LocalFrame], None]]


def room_painter(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Return the painter of a room, with the camera in its front part."""
    eye = np.array([rng.uniform(-0.7, 0.7), rng.uniform(1.25, 1.65), rng.uniform(-0.2, 0.2)])
    camera = Camera(
        eye.astype(np.float32),
        degrees=rng.uniform(-16, 16),
        focal=rng.uniform(0.78, 0.95),
        horizon=rng.uniform(0.4, 0.48),
    )
    return ScenePainter(canvas, camera, draw_light(rng), rng)


def draw_far_to_near(painter: ScenePainter, pieces: list[Piece]) -> None:
    """Paint pieces of furniture from far to near."""
    eye = painter.camera.eye

    def distance(piece: Piece) -> float:
        offset = piece[0].origin - eye
        return float(np.hypot(offset[0], offset[2]))

    for frame, draw in sorted(pieces, key=distance, reverse=True):
        draw(frame)


def living_room(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a living room: sofa, coffee table on a rug, lamp, plants, paintings."""
    painter = room_painter(canvas, rng)
    here = Room(painter)
    middle = here.half + rng.uniform(-0.5, 0.5)
    _dress_back(painter, here.back, middle)
    sides = [here.left, here.right]
    rng.shuffle(sides)
    hangings.window(painter, sides[0], here.depth * 0.55, 1.5, 0.8, curtains=rng.random() < 0.7)
    room.sunbeam(painter, sides[0], here.depth * 0.55, 1.3)
    if rng.random() < 0.7:
        hangings.door(painter, sides[1], here.depth * rng.uniform(0.35, 0.7))
    else:
        hangings.painting(painter, sides[1], here.depth * 0.5, 1.5, (0.9, 0.7))
    if rng.random() < 0.75:
        room.rug(painter, LocalFrame.at(middle - here.half, 0, here.depth - 1.6), 2.4, 1.7)
    wide = rng.uniform(1.6, 2.2)
    pieces: list[Piece] = [
        (here.back.frame.moved(middle, 0, -0.5), lambda at: furniture.sofa(painter, at, wide))
    ]
    pieces += _living_extras(painter, here, middle, wide)
    draw_far_to_near(painter, pieces)
    if rng.random() < 0.3:
        decor.pendant(painter, LocalFrame.at(0, here.height, here.depth * 0.6), 0.5)
    return painter


def _dress_back(painter: ScenePainter, wall: Wall, x: float) -> None:
    rng = painter.rng
    kind = rng.random()
    if kind < 0.35:
        hangings.window(painter, wall, x, rng.uniform(1.4, 2.2), 0.95, curtains=True)
    elif kind < 0.6:
        for side in (-0.5, 0.5):
            size = (rng.uniform(0.45, 0.7), rng.uniform(0.5, 0.8))
            hangings.painting(painter, wall, x + side, 1.6, size)
    elif kind < 0.8:
        hangings.painting(painter, wall, x, 1.6, (rng.uniform(0.9, 1.5), 0.75))
    else:
        hangings.shelf(painter, wall, x, 1.5, rng.uniform(1.0, 1.6))
    if rng.random() < 0.5:
        hangings.window(painter, wall, x + float(rng.choice([-2.1, 2.1])), 0.9, 0.9, curtains=True)


def _living_extras(painter: ScenePainter, here: Room, middle: float, wide: float) -> list[Piece]:
    rng = painter.rng
    back = here.back.frame
    beside = float(rng.choice([-1, 1]))
    pieces: list[Piece] = [
        (
            back.moved(middle, 0, -1.6),
            lambda at: furniture.table(painter, at, (0.95, 0.55, 0.42), "coffee table"),
        )
    ]
    lamp_x = middle + beside * (wide / 2 + 0.3)
    if rng.random() < 0.75:
        pieces.append((back.moved(lamp_x, 0, -0.4), lambda at: decor.floor_lamp(painter, at)))
    if rng.random() < 0.8:
        plant_x = middle - beside * (wide / 2 + 0.4)
        pieces.append((back.moved(plant_x, 0, -0.4), lambda at: decor.potted_plant(painter, at)))
    if rng.random() < 0.65:
        seat = LocalFrame.at(
            middle - here.half + beside * 1.7,
            0,
            here.depth - 1.9,
            beside * rng.uniform(55, 90),
        )
        pieces.append((seat, lambda at: furniture.sofa(painter, at, 0.85, "armchair")))
    side = here.left if beside > 0 else here.right
    along = here.depth - 0.9 if side is here.left else 0.9
    if rng.random() < 0.6:
        case = side.frame.moved(along, 0, -0.18)
        pieces.append(
            (
                case,
                lambda at: furniture.bookcase(painter, at, 1.1, rng.uniform(1.4, 2.1), "bookcase"),
            )
        )
    else:
        chest = side.frame.moved(along, 0, -0.24)
        pieces.append(
            (chest, lambda at: furniture.cupboard(painter, at, (1.1, 0.45, 0.8), "cabinet", 2, 1))
        )
    return pieces


def bedroom(canvas: Canvas, rng: np.random.Generator) -> ScenePainter:
    """Draw a bedroom: bed with pillows, bedside lamp, wardrobe, window with curtains."""
    painter = room_painter(canvas, rng)
    here = Room(painter)
    side = float(rng.choice([-1, 1]))
    middle = here.half + side * rng.uniform(0.1, 0.5)
    wide = float(rng.choice([1.0, 1.5, 1.7]))
    if rng.random() < 0.5:
        hangings.painting(painter, here.back, middle, 1.75, (0.9, 0.55))
    else:
        hangings.mirror(painter, here.back, middle - side * (wide / 2 + 0.6), 1.45, (0.55, 0.7))
    hangings.window(painter, here.back, middle - side * 1.75, 1.0, 0.9, curtains=True)
    lit = here.left if side > 0 else here.right
    if rng.random() < 0.6:
        hangings.window(painter, lit, here.depth * 0.5, 1.4, 0.8, curtains=True)
        room.sunbeam(painter, lit, here.depth * 0.5, 1.2)
    else:
        hangings.door(painter, lit, here.depth * 0.55)
    if rng.random() < 0.7:
        room.rug(painter, LocalFrame.at(middle - here.half, 0, here.depth - 2.0), 2.5, 1.6)
    back = here.back.frame
    pieces: list[Piece] = [
        (back.moved(middle, 0, -1.08), lambda at: furniture.bed(painter, at, wide)),
    ]
    for beside in (-1, 1):
        if beside == side or rng.random() < 0.7:
            bedside = back.moved(middle + beside * (wide / 2 + 0.32), 0, -0.25)
            pieces.append((bedside, lambda at: _bedside(painter, at)))
    other = here.right if side > 0 else here.left
    along = 1.6 if other is here.right else here.depth - 1.6
    if rng.random() < 0.7:
        pieces.append(
            (
                other.frame.moved(along, 0, -0.3),
                lambda at: furniture.cupboard(painter, at, (1.2, 0.55, 2.0), "wardrobe", 2, 1),
            )
        )
    if rng.random() < 0.5:
        corner = LocalFrame.at(-side * (here.half - 0.4), 0, here.depth - 0.5)
        pieces.append((corner, lambda at: decor.potted_plant(painter, at, 0.9)))
    draw_far_to_near(painter, pieces)
    return painter


def _bedside(painter: ScenePainter, at: LocalFrame) -> None:
    furniture.cupboard(painter, at, (0.48, 0.4, 0.52), "chest of drawers", 1, 2)
    if painter.rng.random() < 0.75:
        decor.table_lamp(painter, at.moved(0, 0.52, 0))
    else:
        decor.vase(painter, at.moved(0, 0.52, 0))
