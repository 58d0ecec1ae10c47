"""Cars and boats."""

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import Fill, LocalFrame, ellipse, polygon, rectangle


def car(painter: ScenePainter, frame: LocalFrame, van: bool = False) -> None:
    """Paint a car that drives along the frame's forward axis."""
    rng, palette = painter.rng, painter.palette
    name = "van" if van else "car"
    color = (
        palette.color(0.35, 0.88, 0.12) if rng.random() < 0.75 else palette.color(0.3, 0.95, 0.01)
    )
    paint = texture.plain(color, 0.0)
    glass = texture.gradient(
        mix(painter.light.zenith, palette.dark(), 0.5),
        mix(painter.light.zenith, palette.dark(), 0.8),
        0.8,
    )
    long, half, top = (4.6, 0.95, 2.0) if van else (4.1, 0.86, rng.uniform(1.36, 1.55))
    painter.contact_shadow(frame, 2 * half, long, 0.75)
    belt = 1.0 if van else 0.82
    body = polygon(
        (-long / 2, 0.25),
        (long / 2, 0.25),
        (long / 2 + 0.05, 0.55),
        (long / 2 - 0.25, belt - 0.06),
        (long * 0.22, belt),
        (-long / 2 + 0.1, belt),
        (-long / 2 - 0.03, 0.6),
    )
    back = -long * (0.48 if van else 0.42)
    cabin = polygon(
        (back, belt - 0.02), (long * 0.3, belt - 0.02), (long * 0.14, top), (back + 0.3, top)
    )
    under = (half - 0.1, 0.4, long * 0.42)
    painter.box(frame, (-under[0], 0.03, -under[2]), under, _RUBBER, name)
    painter.prism(frame, body, half, paint, name)
    framed = _framed(glass, color, half * 0.88)
    painter.prism(frame, cabin, half * 0.88, framed, name, cap=paint)
    _car_trim(painter, frame, cabin, (long, half), (glass, paint))
    _wheels(painter, frame, (long, half), name)


def _framed(glass: Fill, color: Array, half: float) -> Fill:
    """Return a fill of glass between two pillars."""

    def fill(at: texture.Texels) -> Array:
        pillar = (np.abs(at.s - np.float32(half)) > half - 0.09) | (at.t < 0.05)
        return np.where(pillar, color.reshape(3, 1, 1), glass(at))

    return fill


def _car_trim(
    painter: ScenePainter,
    frame: LocalFrame,
    cabin: Array,
    size: tuple[float, float],
    fills: tuple[Fill, Fill],
) -> None:
    """Paint side windows, roof and lights."""
    long, half = size
    eye = frame.local(painter.camera.eye)
    name = "car" if long < 4.5 else "van"
    glass, paint = fills
    side = float(np.sign(eye[0])) * half * 0.88
    if abs(eye[0]) > half:
        middle = cabin.mean(0)
        for part in (-1, 1):
            pane = (cabin - middle) * np.float32(0.8) + middle
            pane = np.where(
                np.sign(pane - middle)[:, :1] == part,
                pane,
                np.stack([np.full(len(pane), middle[0] + part * 0.05), pane[:, 1]], 1),
            )
            painter.paint(
                frame.sideways(side),
                pane.astype(np.float32),
                painter.lit(glass, frame.right * np.float32(np.sign(side))),
                name,
            )
    if eye[1] > cabin[2, 1]:
        roof = rectangle(-half * 0.88, 0, half * 1.76, float(cabin[2, 0] - cabin[3, 0]))
        up = np.array([0, 1, 0], np.float32)
        painter.paint(
            frame.flat(0, float(cabin[2, 1]), float(cabin[3, 0])),
            roof,
            painter.lit(paint, up),
            name,
        )
    ahead = eye[2] > 0
    z = long / 2 + 0.04 if ahead else -long / 2 - 0.03
    bright = np.array([1.1, 1.05, 0.9] if ahead else [0.9, 0.2, 0.15], np.float32)
    if abs(eye[2]) > long / 2:
        for x in (-half * 0.75, half * 0.75):
            painter.paint(frame.upright(0, 0, z), ellipse(x, 0.62, 0.3, 0.17), bright, name)
        plate = rectangle(-0.25, 0.38, 0.5, 0.13)
        painter.paint(frame.upright(0, 0, z), plate, painter.palette.pale(), name)


def _wheels(painter: ScenePainter, frame: LocalFrame, size: tuple[float, float], name: str) -> None:
    """Paint the wheels on the side that faces the camera."""
    long, half = size
    eye_x = frame.local(painter.camera.eye)[0]
    if abs(eye_x) <= half:
        return
    rim = np.float32(0.62) * painter.light.shade
    plane = frame.sideways(float(np.sign(eye_x)) * (half + 0.01))
    for z in (-long * 0.31, long * 0.31):
        painter.paint(plane, ellipse(z, 0.32, 0.66, 0.66), _RUBBER, name)
        painter.paint(plane, ellipse(z, 0.32, 0.36, 0.36), rim, name)


def sailboat(painter: ScenePainter, frame: LocalFrame, size: float) -> None:
    """Paint a sailboat."""
    palette = painter.palette
    plane = painter.facing(frame).upright()
    hull = polygon((-0.5, 0.16), (0.55, 0.2), (0.36, 0.0), (-0.38, 0.0))
    color, cloth = palette.color(0.35, 0.8, 0.1), palette.pale()
    lit = painter.light.shade + painter.light.sun * np.float32(0.6)
    parts = [
        (rectangle(-0.02, 0.18, 0.03, 1.1), palette.wood()),
        (polygon((0.03, 0.25), (0.5, 0.27), (0.03, 1.22)), cloth),
        (polygon((-0.05, 0.28), (-0.42, 0.26), (-0.05, 1.1)), mix(cloth, color, 0.4)),
        (hull, color),
    ]
    for outline, tone in parts:
        painter.paint(plane, outline * np.float32(size), tone * lit, "boat")


_RUBBER = np.full(3, 0.12, np.float32)
