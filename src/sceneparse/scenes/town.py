"""Outdoor structures: buildings, houses, lamps, fences, benches and signs."""

import math

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.nature import cast_shadow
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import UP, Fill, LocalFrame, Patch, Vector, ellipse, polygon, rectangle


def masonry(painter: ScenePainter) -> Fill:
    """Draw a random outer wall: render, bricks or boards."""
    palette, rng = painter.palette, painter.rng
    color = palette.color(0.45, 0.9, 0.07)
    kind = rng.random()
    if kind < 0.5:
        return texture.plain(color, 0.03, 4.0)
    if kind < 0.8:
        return texture.bricks(color, mix(color, palette.pale(), 0.5), 0.5, 0.17)
    return texture.stripes(color, color * np.float32(0.9), 0.1, along_s=True)


def building(painter: ScenePainter, frame: LocalFrame, size: tuple[float, float, float]) -> None:
    """Paint a town building of a width, depth and height with a shop at street level.

    Its front faces negative z; its sides have windows too.
    """
    rng, palette = painter.rng, painter.palette
    width, depth, height = size
    storey, bay = rng.uniform(2.8, 3.4), rng.uniform(1.8, 3.0)
    glass = mix(palette.color(0.35, 0.7, 0.05), painter.light.zenith, 0.5)
    front = texture.facade(masonry(painter), glass, palette.pale(), bay, storey)
    low, high = (-width / 2, 0.0, -depth / 2), (width / 2, height, depth / 2)
    painter.box(frame, low, high, front, "building")
    edge = texture.plain(palette.pale())
    over = 0.25
    painter.box(
        frame,
        (low[0] - over, height, low[2] - over),
        (high[0] + over, height + 0.5, high[2] + over),
        edge,
        "building",
    )


def shop(painter: ScenePainter, frame: LocalFrame, width: float) -> None:
    """Paint a shop front on a wall: window, door, sign and awning; z is into the wall."""
    rng, palette = painter.rng, painter.palette
    base = texture.plain(palette.color(0.35, 0.8))
    plane = frame.upright(0, 0, -0.05)
    inward = -frame.forward
    painter.paint(
        plane, rectangle(-width / 2, 0, width, 3.0), painter.lit(base, inward), "building"
    )
    glow = mix(palette.pale(), painter.light.zenith, 0.4)
    painter.paint(
        plane,
        rectangle(-width * 0.42, 0.6, width * 0.5, 1.7),
        texture.gradient(glow * np.float32(0.7), glow, 2),
        "windowpane",
    )
    painter.paint(
        plane,
        rectangle(width * 0.17, 0, width * 0.22, 2.3),
        painter.lit(palette.wood(), inward),
        "door",
    )
    board = palette.color(0.3, 0.85, 0.11)
    painter.box(frame, (-width * 0.45, 2.55, -0.15), (width * 0.45, 3.15, 0), board, "signboard")
    letters = mix(board, palette.pale(), 0.8)
    x = -width * 0.3
    while x < width * 0.3:
        long = rng.uniform(0.1, 0.35)
        letter = rectangle(x, 2.72, long, 0.26)
        painter.paint(frame.upright(0, 0, -0.16), letter, painter.lit(letters, inward), "signboard")
        x += long + 0.12
    if rng.random() < 0.6:
        cloth = texture.stripes(palette.color(0.45, 0.8, 0.12), palette.pale(), 0.35)
        profile = polygon((0, 2.5), (0, 2.55), (-1.1, 2.05), (-1.1, 1.85))[::-1]
        painter.prism(frame, profile, width * 0.46, cloth, "awning")


def house(painter: ScenePainter, frame: LocalFrame, size: Vector) -> None:
    """Paint a house with a gabled roof and chimney, with the width, depth and height of its walls.

    The ridge is parallel to the x axis of the frame, and the door is in front.
    """
    rng, palette = painter.rng, painter.palette
    width, depth, height = size
    painter.contact_shadow(frame, width, depth, 0.5)
    glass = mix(palette.color(0.4, 0.75, 0.05), painter.light.zenith, 0.4)
    storey = height / max(round(height / 2.7), 1)
    walls = texture.facade(masonry(painter), glass, palette.pale(), width / 3, storey)
    half, roof = width / 2, height + depth * rng.uniform(0.4, 0.6)
    painter.box(frame, (-half, 0, -depth / 2), (half, height, depth / 2), walls, "house")
    front = frame.upright(0, 0, -depth / 2 - 0.02)
    casing = painter.lit(palette.pale(), -frame.forward)
    leaf = painter.lit(palette.color(0.3, 0.75, 0.12), -frame.forward)
    painter.paint(front, rectangle(-0.6, 0, 1.2, 2.25), casing, "door")
    painter.paint(front, rectangle(-0.5, 0, 1.0, 2.1), leaf, "door")
    if rng.random() < 0.7:
        x = rng.uniform(-0.7, 0.7) * half
        brick = texture.bricks(palette.color(0.4, 0.7), palette.pale(), 0.3, 0.1)
        painter.box(frame, (x - 0.3, height, 0.0), (x + 0.3, roof + 0.6, 0.6), brick, "house")
    gable = polygon((-depth / 2, height), (0, roof), (depth / 2, height))
    _roof(painter, frame, gable, half)


def _roof(painter: ScenePainter, frame: LocalFrame, gable: Array, half: float) -> None:
    """Paint the gable, then the slopes that face the camera and the boards at their ends."""
    palette = painter.palette
    tiles = texture.shingles(palette.color(0.35, 0.7, 0.09), 0.35)
    siding = texture.plain(palette.color(0.5, 0.9, 0.06))
    eye = frame.local(painter.camera.eye)
    side = math.copysign(half, eye[0])
    outward = frame.right * np.float32(np.sign(side))
    eaves = gable + polygon((-0.35, -0.25), (0, 0.12), (0.35, -0.25))
    if abs(eye[0]) > half:
        painter.paint(frame.sideways(side), gable, painter.lit(siding, outward), "house")
    for foot in (eaves[2], eaves[0]):
        along, rise = (eaves[1] - foot).tolist()
        normal = np.array([-rise, along]) * np.sign(along)
        if (eye[2] - foot[0]) * normal[0] + (eye[1] - foot[1]) * normal[1] <= 0:
            continue
        long = math.hypot(along, rise)
        up = (frame.forward * along + UP * rise) / np.float32(long)
        out = (frame.forward * normal[0] + UP * normal[1]) / np.float32(long)
        corner = frame.world(-half - 0.3, float(foot[1]), float(foot[0]))
        slope = Patch(corner, frame.right, up.astype(np.float32))
        lit = painter.lit(tiles, out.astype(np.float32))
        painter.paint(slope, rectangle(0, 0, 2 * half + 0.6, long), lit, "house")
    if abs(eye[0]) > half:
        board = np.concatenate([eaves, (eaves - np.array([0, 0.25], np.float32))[::-1]])
        edge = frame.sideways(side + math.copysign(0.3, side))
        painter.paint(edge, board, painter.lit(palette.pale(), outward), "house")


def street_lamp(painter: ScenePainter, frame: LocalFrame, side: float) -> None:
    """Paint a lamp post whose arm reaches to one side."""
    face = painter.facing(frame).upright()
    iron = painter.lit(painter.palette.dark(), np.array([0, 0, -1], np.float32))
    painter.contact_shadow(frame, 0.3, 0.3, 0.4)
    post = polygon(
        (-0.09, 0), (0.09, 0), (0.05, 4.9), (side * 0.9, 5.15), (side * 0.9, 5.25), (-0.05, 5.05)
    )
    painter.paint(face, post, iron, "streetlight")
    painter.paint(face, rectangle(-0.16, 0, 0.32, 0.5), iron, "streetlight")
    painter.paint(
        face,
        ellipse(side * 0.95, 5.08, 0.6, 0.34),
        np.array([1.1, 1.0, 0.78], np.float32),
        "streetlight",
    )
    painter.glow(
        face.points(polygon((side * 0.95, 5.0)))[0], 1.3, np.array([0.3, 0.22, 0.1], np.float32)
    )


def fence(painter: ScenePainter, frame: LocalFrame, length: float, height: float = 1.0) -> None:
    """Paint a picket fence along the x axis of the frame."""
    color = painter.palette.pale() if painter.rng.random() < 0.5 else painter.palette.wood()
    tone = painter.lit(texture.wood(color, along_t=True), -frame.forward)
    plane = frame.upright()
    count = max(int(length / 0.22), 2)
    painter.contact_shadow(frame, length, 0.1, 0.35)
    painter.paint(plane, rectangle(-length / 2, height * 0.25, length, 0.09), tone, "fence")
    comb = [(-length / 2, height * 0.72)]
    for number in range(count):
        x = -length / 2 + number * length / count
        comb += [
            (x, 0.03),
            (x + 0.11, 0.03),
            (x + 0.11, height * 0.66),
            (x + length / count, height * 0.66),
        ]
    comb += [(length / 2, height * 0.76)]
    for number in reversed(range(count)):
        x = -length / 2 + number * length / count
        comb += [
            (x + 0.13, height * 0.76),
            (x + 0.11, height * 0.9),
            (x + 0.055, height),
            (x, height * 0.9),
            (x, height * 0.76),
        ]
    painter.paint(plane, polygon(*comb), tone, "fence")


def bench(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a park bench that faces negative z."""
    timber = texture.wood(painter.palette.wood())
    iron = texture.plain(painter.palette.dark())
    painter.contact_shadow(frame, 1.7, 0.5, 0.45)
    for x in (-0.7, 0.64):
        painter.box(frame, (x, 0, -0.2), (x + 0.06, 0.42, 0.2), iron, "bench")
        painter.box(frame, (x, 0.42, 0.16), (x + 0.06, 0.85, 0.2), iron, "bench")
    for y in (0.55, 0.72):
        painter.box(frame, (-0.85, y, 0.14), (0.85, y + 0.12, 0.17), timber, "bench")
    painter.box(frame, (-0.85, 0.42, -0.24), (0.85, 0.47, 0.2), timber, "bench")


def signpost(painter: ScenePainter, frame: LocalFrame) -> None:
    """Paint a sign on a pole."""
    plane = painter.facing(frame).upright()
    palette = painter.palette
    cast_shadow(painter, frame, 0.3, 0.8)
    painter.paint(plane, rectangle(-0.04, 0, 0.08, 2.2), palette.dark(), "pole")
    power = float(painter.rng.choice([2.0, 20.0]))
    board = palette.color(0.35, 0.8, 0.13)
    painter.paint(plane, ellipse(0, 2.2, 0.8, 0.8, power), palette.pale(), "signboard")
    painter.paint(plane, ellipse(0, 2.2, 0.68, 0.68, power), board, "signboard")
    painter.paint(plane, rectangle(-0.22, 2.14, 0.44, 0.12), palette.pale(), "signboard")
