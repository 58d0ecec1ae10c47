"""Trees, palms and bushes."""

import numpy as np

from sceneparse.scenes import texture
from sceneparse.scenes.canvas import Array
from sceneparse.scenes.nature import cast_shadow
from sceneparse.scenes.painter import ScenePainter
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import Fill, LocalFrame, ellipse, polygon


def tree(painter: ScenePainter, frame: LocalFrame, height: float, kind: str = "") -> None:
    """Paint a tree: round, poplar or pine."""
    kind = kind or str(painter.rng.choice(["round", "round", "poplar", "pine"]))
    cast_shadow(painter, frame, height * (0.3 if kind == "poplar" else 0.55), height * 0.6)
    face = painter.facing(frame)
    bark = mix(painter.palette.wood(), painter.palette.dark(), 0.5)
    wide, fork = height * 0.035, height * 0.55
    trunk = polygon((-wide * 1.3, 0), (wide * 1.3, 0), (wide * 0.6, fork), (-wide * 0.6, fork))
    painter.paint(face.upright(), trunk, painter.lit(bark, -face.forward), "tree")
    if kind == "pine":
        _pine(painter, face, height, painter.palette.leaf(evergreen=True))
    else:
        radii = (0.2, 0.4) if kind == "poplar" else (0.36, 0.36)
        _crown(painter, face, height, radii, painter.palette.leaf())


def _crown(
    painter: ScenePainter, face: LocalFrame, height: float, radii: tuple[float, float], leaf: Array
) -> None:
    """Paint a crown in the shade, then its lit parts towards the sun."""
    rng, light = painter.rng, painter.light
    side = float(np.sign(light.towards[0]))
    shift = float(rng.random())
    shady = leaf * (light.shade * np.float32(0.82) + np.float32(0.15) * light.sun)
    sunny = leaf * (light.shade + light.sun) + np.float32(0.05)
    wide, tall = radii[0] * height, radii[1] * height
    plane, middle = face.upright(), height * 0.62
    scale = height * 0.8
    crown = bumpy_outline(rng, 0, middle, (wide, tall))
    painter.paint(
        plane, crown, texture.foliage(shady, mix(shady, sunny, 0.35), scale, shift), "tree"
    )
    clumps = ((0.1, 0.16, 0.76), (-0.3, 0.3, 0.4), (0.3, 0.42, 0.44), (0.12, 0.02, 0.36))
    far = float(np.hypot(*(face.origin - painter.camera.eye)[[0, 2]])) > 22
    for step, (x, y, size) in enumerate(clumps[: 1 if far else None]):
        low, high = mix(shady, sunny, 0.25 + 0.12 * step), mix(shady, sunny, 0.6 + 0.13 * step)
        clump = bumpy_outline(
            rng, side * x * wide, middle + y * tall, (wide * size, tall * size * 0.9)
        )
        painter.paint(plane, clump, texture.foliage(low, high, scale, shift), "tree")


def bumpy_outline(
    rng: np.random.Generator, x: float, y: float, radii: tuple[float, float]
) -> Array:
    """Return a round outline with bumps, for a bush or a crown."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    bumps = int(rng.integers(5, 8))
    radius = 0.86 + 0.14 * np.abs(np.sin(angle * bumps / 2 + rng.uniform(0, 3)))
    radius += 0.03 * np.sin(angle * 13 + rng.uniform(0, 6)) + 0.06 * np.sin(angle * 2)
    return np.stack(
        [x + np.cos(angle) * radius * radii[0], y + np.sin(angle) * radius * radii[1]], axis=1
    ).astype(np.float32)


def _pine(painter: ScenePainter, face: LocalFrame, height: float, leaf: Array) -> None:
    rng, light = painter.rng, painter.light
    base = leaf * (light.shade + np.float32(0.3) * light.sun)
    tiers = 4
    for tier in range(tiers):
        foot = height * (0.14 + 0.2 * tier)
        wide = height * (0.27 - 0.05 * tier)
        top = foot + height * 0.36
        skirt = [
            (x, foot + (0.03 * height if n % 2 else 0) * rng.uniform(0.6, 1.2))
            for n, x in enumerate(np.linspace(-wide, wide, 9).tolist())
        ]
        tone = texture.foliage(base, base * np.float32(1.3), height * 0.7, tier)
        shaded = texture.shifted(_brighten_upwards(tone, top - foot), 0.0, foot)
        painter.paint(face.upright(), polygon(*skirt, (0.0, min(top, height))), shaded, "tree")


def _brighten_upwards(fill: Fill, height: float) -> Fill:
    return lambda at: fill(at) * (0.8 + 0.35 * np.clip(at.t / np.float32(height), 0, 1))


def palm(painter: ScenePainter, frame: LocalFrame, height: float) -> None:
    """Paint a palm with a bent stem."""
    rng = painter.rng
    cast_shadow(painter, frame, height * 0.4, height * 0.5)
    face = painter.facing(frame)
    lean = rng.uniform(-0.25, 0.25) * height
    rise = np.linspace(0, 1, 8)
    spine = np.stack([lean * rise**2, height * rise], axis=1)
    half = (0.035 - 0.015 * rise) * height
    stem = np.concatenate(
        [spine + np.stack([half, 0 * half], 1), (spine - np.stack([half, 0 * half], 1))[::-1]]
    ).astype(np.float32)
    bark = painter.lit(
        texture.stripes(painter.palette.wood(), painter.palette.soil(), 0.12, True), -face.forward
    )
    painter.paint(face.upright(), stem, bark, "palm")
    leaf = painter.palette.leaf()
    for angle in rng.permutation(np.linspace(-0.5, np.pi + 0.5, 11)):
        long = height * rng.uniform(0.36, 0.46)
        run = np.linspace(0, 1, 7)
        x = np.cos(angle) * long * run
        y = np.sin(angle) * long * run * 0.8 - 0.5 * long * run**2
        fat = np.sin(np.pi * np.minimum(run + 0.12, 1)) * 0.13 * long
        frond = np.concatenate([np.stack([x, y + fat * 0.5], 1), np.stack([x, y - fat], 1)[::-1]])
        tone = painter.lit(leaf * np.float32(rng.uniform(0.7, 1.15)), -face.forward)
        spot = np.array([lean, height])
        painter.paint(face.upright(), (frond + spot).astype(np.float32), tone, "palm")


def bush(painter: ScenePainter, frame: LocalFrame, size: float, blossoms: bool) -> None:
    """Paint a round bush, optionally in blossom."""
    rng = painter.rng
    painter.contact_shadow(frame, size, size * 0.6, 0.5)
    face = painter.facing(frame).upright()
    leaf = painter.palette.leaf() * (painter.light.shade + np.float32(0.5) * painter.light.sun)
    outline = bumpy_outline(rng, 0, size * 0.36, (size * 0.55, size * 0.42))
    tone = texture.foliage(leaf, mix(leaf, painter.light.skyline, 0.35), size * 0.5)
    painter.paint(face, outline, _brighten_upwards(tone, size * 0.6), "plant")
    color = painter.palette.color(0.6, 0.9, 0.14)
    for _ in range(int(rng.integers(8, 16)) if blossoms else 0):
        angle, reach = rng.uniform(0, 6.3), size * 0.4 * np.sqrt(rng.random())
        spot = ellipse(
            float(np.cos(angle) * reach),
            float(size * 0.38 + np.sin(angle) * reach * 0.7),
            size * 0.13,
            size * 0.13,
        )
        painter.paint(face, spot, color * np.float32(rng.uniform(0.85, 1.1)), "flower")
