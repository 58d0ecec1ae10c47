"""Furniture. Each piece stands at a frame and faces negative z; sizes are in metres."""

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.decor import books, vase
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import Fill, LocalFrame, ellipse, rectangle


def fabric(painter: ScenePainter, low: float = 0.4, high: float = 0.88) -> Fill:
    """Draw a random fabric: plain, striped, dotted or checked."""
    color = painter.palette.color(low, high)
    other = mix(color, painter.palette.pale(), painter.rng.uniform(0.3, 0.8))
    kind = painter.rng.random()
    if kind < 0.6:
        return texture.plain(color, 0.04, 0.6)
    if kind < 0.75:
        return texture.stripes(color, other, painter.rng.uniform(0.05, 0.12))
    if kind < 0.87:
        return texture.dots(color, other, 0.16, 0.035)
    return texture.plaid(color, other, painter.rng.uniform(0.15, 0.3))


def sofa(painter: ScenePainter, frame: LocalFrame, width: float, name: str = "sofa") -> None:
    """Paint a sofa or armchair with cushions and short feet."""
    cloth = fabric(painter)
    rng = painter.rng
    deep, back, arm = 0.9, rng.uniform(0.75, 0.95), rng.uniform(0.55, 0.68)
    side, half = rng.uniform(0.14, 0.22), width / 2
    painter.contact_shadow(frame, width, deep)
    painter.box(frame, (-half, 0.08, deep / 2 - 0.25), (half, back, deep / 2), cloth, name)
    eye_x = frame.local(painter.camera.eye)[0]
    seat = half - side
    # An arm hides the seat only if the camera is beyond the arm.
    hiding = {-half: eye_x < -seat, seat: eye_x > seat}
    for late in (False, True):
        for left in (x for x, hides in hiding.items() if hides == late):
            painter.box(
                frame, (left, 0.08, -deep / 2), (left + side, arm, deep / 2 - 0.2), cloth, name
            )
        if not late:
            painter.box(frame, (-seat, 0.08, -deep / 2), (seat, 0.44, deep / 2 - 0.25), cloth, name)
            _seat_lines(painter, frame, (-seat, seat), deep)
            if name == "sofa" or rng.random() < 0.4:
                _cushions(painter, frame, seat - 0.2)


def _seat_lines(
    painter: ScenePainter, frame: LocalFrame, span: tuple[float, float], deep: float
) -> None:
    seats = max(round((span[1] - span[0]) / 0.65), 1)
    step = (span[1] - span[0]) / seats

    def shadow(at: texture.Texels) -> Array:
        return np.broadcast_to(np.float32(0.78), (3, *np.broadcast_shapes(at.s.shape, at.t.shape)))

    for number in range(1, seats):
        x = span[0] + number * step
        painter.tint(frame.upright(0, 0, -deep / 2), rectangle(x - 0.01, 0.1, 0.02, 0.34), shadow)
        painter.tint(frame.flat(0, 0.44), rectangle(x - 0.01, -deep / 2, 0.02, deep * 0.7), shadow)


def _cushions(painter: ScenePainter, frame: LocalFrame, reach: float) -> None:
    rng = painter.rng
    for position in (-reach, reach, rng.uniform(-0.3, 0.3) * reach)[: rng.integers(1, 4)]:
        size = rng.uniform(0.36, 0.46)
        lean = frame.moved(float(position), 0.42, 0.08, rng.uniform(-12, 12))
        cushion(painter, lean, size, "cushion")


def cushion(
    painter: ScenePainter, frame: LocalFrame, size: float, name: str, height: float = 0.0
) -> None:
    """Paint a cushion that stands upright."""
    cloth = fabric(painter, 0.5, 0.92)
    tall = height or size
    outline = ellipse(0, tall / 2, size, tall, 4.0)
    lit = painter.lit(cloth, -frame.forward)

    def plump(at: texture.Texels) -> Array:
        x, y = at.s / np.float32(size / 2), at.t / np.float32(tall / 2) - 1
        return lit(at) * (1.1 - 0.25 * (x * x * x * x + y * y * y * y) + 0.05 * y)

    painter.paint(frame.upright(), outline, plump, name)


def bed(painter: ScenePainter, frame: LocalFrame, width: float) -> None:
    """Paint a bed with its head at positive z: frame, mattress, quilt and pillows."""
    rng, half, long = painter.rng, width / 2, 2.05
    timber = texture.wood(painter.palette.wood())
    quilt, sheet = fabric(painter), texture.plain(painter.palette.pale(), 0.02)
    painter.contact_shadow(frame, width, long)
    head = rng.uniform(0.85, 1.3)
    painter.box(
        frame, (-half - 0.05, 0, long / 2 - 0.08), (half + 0.05, head, long / 2), timber, "bed"
    )
    painter.box(frame, (-half, 0.12, -long / 2), (half, 0.32, long / 2 - 0.08), timber, "bed")
    painter.box(frame, (-half, 0.32, -long / 2), (half, 0.52, long / 2 - 0.08), sheet, "bed")
    count = 2 if width > 1.2 else 1
    for number in range(count):
        x = (number - (count - 1) / 2) * width * 0.48
        position = frame.moved(x, 0.5, long / 2 - 0.2, rng.uniform(-4, 4))
        cushion(painter, position, min(width * 0.42, 0.7), "pillow", 0.36)
    fold = long / 2 - rng.uniform(0.6, 0.8)
    drop = rng.uniform(0.12, 0.3)
    painter.box(
        frame, (-half - 0.03, drop, -long / 2 - 0.03), (half + 0.03, 0.57, fold), quilt, "bed"
    )
    if rng.random() < 0.5:
        throw = -long / 2 + 0.5
        blanket = fabric(painter)
        low, high = (-half - 0.05, drop + 0.05, -long / 2 + 0.08), (half + 0.05, 0.6, throw)
        painter.box(frame, low, high, blanket, "blanket")


def table(
    painter: ScenePainter, frame: LocalFrame, size: tuple[float, float, float], name: str
) -> None:
    """Paint a table of a width, depth and height: four legs and a top."""
    width, depth, height = size
    timber = texture.wood(painter.palette.wood())
    painter.contact_shadow(frame, width, depth, 0.35)
    inset = 0.05
    legs = [
        (x, z)
        for z in (depth / 2 - inset, -depth / 2 + inset)
        for x in (-width / 2 + inset, width / 2 - inset)
    ]
    for x, z in legs:
        painter.box(
            frame, (x - 0.03, 0, z - 0.03), (x + 0.03, height - 0.05, z + 0.03), timber, name
        )
    low, high = (-width / 2, height - 0.06, -depth / 2), (width / 2, height, depth / 2)
    painter.box(frame, low, high, timber, name)


def chair(painter: ScenePainter, frame: LocalFrame, color: Array, name: str = "chair") -> None:
    """Paint a wooden chair with slats in its back."""
    timber = texture.wood(color)
    painter.contact_shadow(frame, 0.42, 0.42, 0.35)
    seat_first = frame.local(painter.camera.eye)[2] > 0
    for part in ("seat", "back") if seat_first else ("back", "seat"):
        if part == "seat":
            _chair_seat(painter, frame, timber, name)
        else:
            for x in (-0.2, 0.16):
                painter.box(frame, (x, 0.44, 0.16), (x + 0.04, 0.92, 0.2), timber, name)
            for y in (0.6, 0.78):
                painter.box(frame, (-0.2, y, 0.165), (0.2, y + 0.1, 0.195), timber, name)


def _chair_seat(painter: ScenePainter, frame: LocalFrame, timber: Fill, name: str) -> None:
    for z in (0.16, -0.2):
        for x in (-0.2, 0.16):
            painter.box(frame, (x, 0, z), (x + 0.04, 0.42, z + 0.04), timber, name)
    painter.box(frame, (-0.21, 0.41, -0.21), (0.21, 0.46, 0.21), timber, name)


def cupboard(
    painter: ScenePainter,
    frame: LocalFrame,
    size: tuple[float, float, float],
    name: str,
    columns: int,
    rows: int,
) -> None:
    """Paint a cabinet, wardrobe or chest: a box with panelled doors or drawers in front."""
    width, depth, height = size
    color = (
        painter.palette.wood()
        if painter.rng.random() < 0.7
        else painter.palette.color(0.5, 0.9, 0.05)
    )
    front = texture.panels(color, width / columns, height / rows, painter.palette.dark())
    painter.contact_shadow(frame, width, depth)
    low, high = (-width / 2, 0.0, -depth / 2), (width / 2, height, depth / 2)
    painter.box(frame, low, high, texture.wood(color, along_t=True), name, front)


def bookcase(
    painter: ScenePainter, frame: LocalFrame, width: float, height: float, name: str
) -> None:
    """Paint open shelves with books and vases."""
    rng, deep = painter.rng, 0.32
    color = painter.palette.wood()
    timber = texture.wood(color)
    painter.contact_shadow(frame, width, deep)
    inside = texture.plain(color * np.float32(0.55))
    half, front = width / 2, frame.upright(0, 0, -deep / 2)
    painter.box(frame, (-half, 0, -deep / 2), (half, height, deep / 2), timber, name, inside)
    rows = max(round(height / 0.38), 1)
    pitch = height / rows
    for row in range(rows):
        books(painter, frame, (-half + 0.05, row * pitch + 0.04, -deep / 2 + 0.04), width - 0.1)
        lit = painter.lit(timber, -frame.forward)
        painter.paint(front, rectangle(-half, row * pitch, width, 0.045), lit, name)
    for x, y, w, h in (
        (-half, 0, 0.04, height),
        (half - 0.04, 0, 0.04, height),
        (-half, height - 0.045, width, 0.045),
    ):
        painter.paint(front, rectangle(x, y, w, h), painter.lit(timber, -frame.forward), name)
    if rng.random() < 0.4:
        vase(painter, frame.moved(rng.uniform(-0.3, 0.3) * width, height, 0))
