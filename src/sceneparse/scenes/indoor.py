"""Rooms to live in: living room and bedroom."""

from collections.abc import Callable

import numpy as np

from sceneparse.scenes import decor, furniture, hangings, room
from sceneparse.scenes.canvas import Canvas
from sceneparse.scenes.palette import draw_light
from sceneparse.scenes.room import Room, Wall
from sceneparse.scenes.space import Camera, Frame
from sceneparse.scenes.stage import Stage

Piece = tuple[Frame, Callable[[Frame], None]]


def enter(canvas: Canvas, rng: np.random.Generator) -> Stage:
    """Return the stage of a room, seen by someone who stands in its front part."""
    eye = np.array([rng.uniform(-0.7, 0.7), rng.uniform(1.25, 1.65), rng.uniform(-0.2, 0.2)])
    camera = Camera(
        eye.astype(np.float32),
        degrees=rng.uniform(-16, 16),
        focal=rng.uniform(0.78, 0.95),
        horizon=rng.uniform(0.4, 0.48),
    )
    return Stage(canvas, camera, draw_light(rng), rng)


def furnish(stage: Stage, pieces: list[Piece]) -> None:
    """Draw pieces of furniture from far to near."""
    eye = stage.camera.eye

    def distance(piece: Piece) -> float:
        offset = piece[0].origin - eye
        return float(np.hypot(offset[0], offset[2]))

    for frame, draw in sorted(pieces, key=distance, reverse=True):
        draw(frame)


def living_room(canvas: Canvas, rng: np.random.Generator) -> Stage:
    """Draw a living room: sofa, coffee table on a rug, lamp, plants, images."""
    stage = enter(canvas, rng)
    here = Room(stage)
    middle = here.half + rng.uniform(-0.5, 0.5)
    _dress_back(stage, here.back, middle)
    sides = [here.left, here.right]
    rng.shuffle(sides)
    hangings.window(stage, sides[0], here.depth * 0.55, 1.5, 0.8, curtains=rng.random() < 0.7)
    room.sunbeam(stage, sides[0], here.depth * 0.55, 1.3)
    if rng.random() < 0.7:
        hangings.door(stage, sides[1], here.depth * rng.uniform(0.35, 0.7))
    else:
        hangings.painting(stage, sides[1], here.depth * 0.5, 1.5, (0.9, 0.7))
    if rng.random() < 0.75:
        room.rug(stage, Frame.at(middle - here.half, 0, here.depth - 1.6), 2.4, 1.7)
    wide = rng.uniform(1.6, 2.2)
    pieces: list[Piece] = [
        (here.back.frame.moved(middle, 0, -0.5), lambda at: furniture.sofa(stage, at, wide))
    ]
    pieces += _living_extras(stage, here, middle, wide)
    furnish(stage, pieces)
    if rng.random() < 0.3:
        decor.pendant(stage, Frame.at(0, here.height, here.depth * 0.6), 0.5)
    return stage


def _dress_back(stage: Stage, wall: Wall, x: float) -> None:
    rng = stage.rng
    kind = rng.random()
    if kind < 0.35:
        hangings.window(stage, wall, x, rng.uniform(1.4, 2.2), 0.95, curtains=True)
    elif kind < 0.6:
        for side in (-0.5, 0.5):
            size = (rng.uniform(0.45, 0.7), rng.uniform(0.5, 0.8))
            hangings.painting(stage, wall, x + side, 1.6, size)
    elif kind < 0.8:
        hangings.painting(stage, wall, x, 1.6, (rng.uniform(0.9, 1.5), 0.75))
    else:
        hangings.shelf(stage, wall, x, 1.5, rng.uniform(1.0, 1.6))
    if rng.random() < 0.5:
        hangings.window(stage, wall, x + float(rng.choice([-2.1, 2.1])), 0.9, 0.9, curtains=True)


def _living_extras(stage: Stage, here: Room, middle: float, wide: float) -> list[Piece]:
    rng = stage.rng
    back = here.back.frame
    beside = float(rng.choice([-1, 1]))
    pieces: list[Piece] = [
        (
            back.moved(middle, 0, -1.6),
            lambda at: furniture.table(stage, at, (0.95, 0.55, 0.42), "coffee table"),
        )
    ]
    lamp_x = middle + beside * (wide / 2 + 0.3)
    if rng.random() < 0.75:
        pieces.append((back.moved(lamp_x, 0, -0.4), lambda at: decor.floor_lamp(stage, at)))
    if rng.random() < 0.8:
        plant_x = middle - beside * (wide / 2 + 0.4)
        pieces.append((back.moved(plant_x, 0, -0.4), lambda at: decor.potted_plant(stage, at)))
    if rng.random() < 0.65:
        seat = Frame.at(
            middle - here.half + beside * 1.7,
            0,
            here.depth - 1.9,
            beside * rng.uniform(55, 90),
        )
        pieces.append((seat, lambda at: furniture.sofa(stage, at, 0.85, "armchair")))
    side = here.left if beside > 0 else here.right
    along = here.depth - 0.9 if side is here.left else 0.9
    if rng.random() < 0.6:
        case = side.frame.moved(along, 0, -0.18)
        pieces.append(
            (
                case,
                lambda at: furniture.bookcase(stage, at, 1.1, rng.uniform(1.4, 2.1), "bookcase"),
            )
        )
    else:
        chest = side.frame.moved(along, 0, -0.24)
        pieces.append(
            (chest, lambda at: furniture.cupboard(stage, at, (1.1, 0.45, 0.8), "cabinet", 2, 1))
        )
    return pieces


def bedroom(canvas: Canvas, rng: np.random.Generator) -> Stage:
    """Draw a bedroom: bed with pillows, bedside lamp, wardrobe, window with curtains."""
    stage = enter(canvas, rng)
    here = Room(stage)
    side = float(rng.choice([-1, 1]))
    middle = here.half + side * rng.uniform(0.1, 0.5)
    wide = float(rng.choice([1.0, 1.5, 1.7]))
    if rng.random() < 0.5:
        hangings.painting(stage, here.back, middle, 1.75, (0.9, 0.55))
    else:
        hangings.mirror(stage, here.back, middle - side * (wide / 2 + 0.6), 1.45, (0.55, 0.7))
    hangings.window(stage, here.back, middle - side * 1.75, 1.0, 0.9, curtains=True)
    lit = here.left if side > 0 else here.right
    if rng.random() < 0.6:
        hangings.window(stage, lit, here.depth * 0.5, 1.4, 0.8, curtains=True)
        room.sunbeam(stage, lit, here.depth * 0.5, 1.2)
    else:
        hangings.door(stage, lit, here.depth * 0.55)
    if rng.random() < 0.7:
        room.rug(stage, Frame.at(middle - here.half, 0, here.depth - 2.0), 2.5, 1.6)
    back = here.back.frame
    pieces: list[Piece] = [
        (back.moved(middle, 0, -1.08), lambda at: furniture.bed(stage, at, wide)),
    ]
    for beside in (-1, 1):
        if beside == side or rng.random() < 0.7:
            stand = back.moved(middle + beside * (wide / 2 + 0.32), 0, -0.25)
            pieces.append((stand, lambda at: _bedside(stage, at)))
    other = here.right if side > 0 else here.left
    along = 1.6 if other is here.right else here.depth - 1.6
    if rng.random() < 0.7:
        pieces.append(
            (
                other.frame.moved(along, 0, -0.3),
                lambda at: furniture.cupboard(stage, at, (1.2, 0.55, 2.0), "wardrobe", 2, 1),
            )
        )
    if rng.random() < 0.5:
        corner = Frame.at(-side * (here.half - 0.4), 0, here.depth - 0.5)
        pieces.append((corner, lambda at: decor.potted_plant(stage, at, 0.9)))
    furnish(stage, pieces)
    return stage


def _bedside(stage: Stage, at: Frame) -> None:
    furniture.cupboard(stage, at, (0.48, 0.4, 0.52), "chest of drawers", 1, 2)
    if stage.rng.random() < 0.75:
        decor.table_lamp(stage, at.moved(0, 0.52, 0))
    else:
        decor.vase(stage, at.moved(0, 0.52, 0))
