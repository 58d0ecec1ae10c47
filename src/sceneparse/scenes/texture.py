"""Textures of surfaces, as functions of a position in metres.

Each function returns a fill. Patterns depend on positions, not on pixels, so that a scene has the
same content at any size.
"""

import numpy as np

from sceneparse.scenes.canvas import Array
from sceneparse.scenes.noise import grain, line, near, noise
from sceneparse.scenes.palette import mix
from sceneparse.scenes.space import Fill, Texels


def plain(color: Array, contrast: float = 0.03, scale: float = 2.0) -> Fill:
    """Return a fill of one colour with slight variation, for paint, plaster or cloth."""

    def fill(at: Texels) -> Array:
        return color.reshape(3, 1, 1) * (1 + np.float32(contrast) * noise(at.s, at.t, scale, 0.9))

    return fill


def wood(color: Array, along_t: bool = False) -> Fill:
    """Return a fill of wood with its grain along one axis."""

    def fill(at: Texels) -> Array:
        s, t = (at.t, at.s) if along_t else (at.s, at.t)
        streaks = noise(s * np.float32(0.12), t, 0.9, 0.8)
        return color.reshape(3, 1, 1) * (1 + 0.08 * streaks)

    return fill


def planks(color: Array, width: float = 0.16, length: float = 1.4) -> Fill:
    """Return a fill of floor boards along t, each in its own shade."""

    def fill(at: Texels) -> Array:
        board = np.floor(at.s / np.float32(width))
        along = at.t / np.float32(length) + grain(board)
        shade = grain(board, np.floor(along)) - 0.5
        streaks = noise(at.s, at.t * np.float32(0.1), 1.2, 0.8)
        joint = np.maximum(
            line(at.s, width, 0.012), line((along % 1) * np.float32(length), length, 0.012)
        )
        factor = 1 + 0.16 * shade + 0.05 * streaks
        return color.reshape(3, 1, 1) * (factor * (1 - 0.35 * joint * near(at, 6)))

    return fill


def tiled_floor(color: Array, other: Array, grout: Array, size: float = 0.3) -> Fill:
    """Return a fill of square tiles, a chessboard of two colours."""

    def fill(at: Texels) -> Array:
        i, j = np.floor(at.s / np.float32(size)), np.floor(at.t / np.float32(size))
        color_of = mix(color, other, (i + j) % 2) * (0.96 + 0.08 * grain(i, j))
        joint = np.maximum(line(at.s, size, size / 18), line(at.t, size, size / 18))
        return color_of + (grout.reshape(3, 1, 1) - color_of) * (joint * near(at, 9))

    return fill


def herringbone(color: Array, width: float = 0.14) -> Fill:
    """Return a fill of herringbone parquet."""

    def fill(at: Texels) -> Array:
        column = np.floor(at.s / np.float32(4 * width))
        across = at.s / np.float32(4 * width) - column
        slant = at.t + np.where(column % 2 > 0, across, 1 - across) * np.float32(4 * width)
        board = np.floor(slant / np.float32(width))
        joint = np.maximum(line(slant, width, 0.012), line(at.s, 4 * width, 0.012))
        shade = 0.92 + 0.16 * grain(board, column) + 0.05 * ((column % 2) - 0.5)
        return color.reshape(3, 1, 1) * (shade * (1 - 0.3 * joint * near(at, 5)))

    return fill


def bricks(color: Array, mortar: Array, width: float = 0.24, height: float = 0.08) -> Fill:
    """Return a fill of bricks in running bond."""

    def fill(at: Texels) -> Array:
        row = np.floor(at.t / np.float32(height))
        s = at.s + (row % 2) * np.float32(width / 2)
        shade = 0.88 + 0.24 * grain(np.floor(s / np.float32(width)), row)
        joint = np.maximum(line(s, width, height / 6), line(at.t, height, height / 6))
        stone = color.reshape(3, 1, 1) * shade
        return stone + (mortar.reshape(3, 1, 1) - stone) * (joint * near(at, 60 * height))

    return fill


def stripes(color: Array, other: Array, width: float = 0.12, along_s: bool = False) -> Fill:
    """Return a fill of stripes of two colours, vertical unless `along_s`."""

    def fill(at: Texels) -> Array:
        position = at.t if along_s else at.s
        wave = np.clip(np.sin(position * np.float32(np.pi / width)) * 3 + 0.5, 0, 1)
        return mix(color, other, wave + at.s * 0 + at.t * 0)

    return fill


def dots(color: Array, other: Array, period: float = 0.2, radius: float = 0.04) -> Fill:
    """Return a fill of polka dots in staggered rows."""

    def fill(at: Texels) -> Array:
        row = np.floor(at.t / np.float32(period))
        x = (at.s / np.float32(period) + (row % 2) * 0.5) % 1 - 0.5
        y = at.t / np.float32(period) - row - 0.5
        distance = np.sqrt(x * x + y * y) * np.float32(period)
        return mix(color, other, np.clip((radius - distance) / np.float32(0.012) + 0.5, 0, 1))

    return fill


def plaid(color: Array, other: Array, period: float = 0.24) -> Fill:
    """Return a fill of woven checks."""

    def fill(at: Texels) -> Array:
        share = 0.5 * (at.s % np.float32(period) < period / 2) + 0.5 * (
            at.t % np.float32(period) < period / 2
        )
        return mix(color, other, share.astype(np.float32) * np.float32(0.75))

    return fill


def folds(color: Array, width: float = 0.13, depth: float = 0.22) -> Fill:
    """Return a fill of hanging cloth with slightly irregular folds."""

    def fill(at: Texels) -> Array:
        wander = noise(at.s, at.t * np.float32(0.15), 3.0, 1.6)
        wave = np.sin(at.s * np.float32(2 * np.pi / width) + wander)
        return color.reshape(3, 1, 1) * (1 - np.float32(depth) * (0.5 + 0.5 * wave))

    return fill


def carpet(colors: list[Array], width: float, length: float, bands: bool) -> Fill:
    """Return a fill of a rug with a border, and bands or diamonds inside."""

    def fill(at: Texels) -> Array:
        rim = np.minimum(
            np.float32(width / 2) - np.abs(at.s), np.float32(length / 2) - np.abs(at.t)
        )
        x, y = at.s / np.float32(0.36), at.t / np.float32(0.36)
        figure = np.sin(y * 4) if bands else np.abs(x % 1 - 0.5) + np.abs(y % 1 - 0.5) - 0.32
        field = mix(colors[0], colors[1], np.clip(figure * 6 + 0.5, 0, 1) * np.ones_like(rim))
        border = ((rim < 0.2) & (rim > 0.06)).astype(np.float32)
        field = field + (colors[2].reshape(3, 1, 1) - field) * border
        return field * (1 + 0.06 * noise(at.s, at.t, 1.0, 0.4))

    return fill


def panels(color: Array, width: float, height: float, knob: Array) -> Fill:
    """Return a fill of cupboard doors: framed panels with knobs, in a grid."""

    def fill(at: Texels) -> Array:
        x, y = at.s % np.float32(width), at.t % np.float32(height)
        rim = np.minimum(
            np.minimum(x, np.float32(width) - x), np.minimum(y, np.float32(height) - y)
        )
        shade = 1 - 0.4 * (rim < 0.012) - 0.1 * ((rim > 0.05) & (rim < 0.07))
        face = color.reshape(3, 1, 1) * shade.astype(np.float32)
        gap = np.hypot(x - np.float32(width * 0.5), y - np.float32(height * 0.8))
        handle = (gap < np.float32(0.025)).astype(np.float32)
        return face + (knob.reshape(3, 1, 1) - face) * handle

    return fill


def spines(colors: list[Array], width: float = 0.045) -> Fill:
    """Return a fill of the spines of books side by side."""
    row = np.stack(colors, axis=1)

    def fill(at: Texels) -> Array:
        number = np.floor(at.s / np.float32(width) + 0.8 * grain(np.floor(at.s * 8)))
        shift = grain(number, 3.0) * np.ones_like(at.t)
        color = row[:, (shift * len(colors)).astype(np.intp)]
        band = ((at.t % 0.3) > 0.2) & ((at.t % 0.3) < 0.22)
        gap = line(at.s, width, 0.01)
        return color * (1 - 0.3 * gap + 0.25 * band.astype(np.float32))

    return fill


def facade(wall: Fill, glass: Array, frame: Array, bay: float, storey: float) -> Fill:
    """Return a fill of a wall with a grid of windows, some of them lit."""

    def fill(at: Texels) -> Array:
        x, y = at.s / np.float32(bay), at.t / np.float32(storey)
        i, j = np.floor(x), np.floor(y)
        dx, dy = np.abs(x - i - 0.5), np.abs(y - j - 0.52)
        surface = wall(at)
        trim = ((dx < 0.3) & (dy < 0.34)).astype(np.float32)
        pane = ((dx < 0.25) & (dx > 0.015) & (dy < 0.3)).astype(np.float32)
        lit = grain(i, j)
        color = glass.reshape(3, 1, 1) * (0.7 + 0.5 * lit + 0.25 * (y - j - 0.5))
        color = color + (_LAMPLIGHT - color) * (lit > 0.82)
        surface = surface + (frame.reshape(3, 1, 1) - surface) * trim
        return surface + (color - surface) * pane

    return fill


def shingles(color: Array, size: float = 0.3) -> Fill:
    """Return a fill of roof tiles in overlapping rows."""

    def fill(at: Texels) -> Array:
        row = np.floor(at.t / np.float32(size))
        s = at.s / np.float32(size) + 0.5 * (row % 2)
        lip = at.t / np.float32(size) - row
        shade = 0.82 + 0.16 * grain(np.floor(s), row) + 0.14 * lip
        return color.reshape(3, 1, 1) * shade

    return fill


def rough(color: Array, other: Array, scale: float, contrast: float = 0.5) -> Fill:
    """Return a fill of patches of two colours with fine grain, for meadow, sand or asphalt."""

    def fill(at: Texels) -> Array:
        clouds = noise(at.s, at.t, scale * 8, 1.3)
        fine = noise(at.s, at.t, scale, 0.5)
        share = np.clip(0.5 + 0.28 * clouds, 0, 1)
        detail = np.float32(0.16 * contrast) * fine * near(at, 12 * scale)
        return mix(color, other, share) * (1 + detail)

    return fill


def waves(color: Array, skyline: Array, light: Array, scale: float = 4.0) -> Fill:
    """Return a fill of water, which reflects the sky in the distance, with glints on the waves."""

    def fill(at: Texels) -> Array:
        far = at.depth / (at.depth + np.float32(10 * scale))
        swell = noise(at.s * np.float32(0.35), at.t, scale * 6, 1.1)
        ripple = noise(at.s * np.float32(0.3), at.t / (1 + at.depth * 0.05), scale, 0.8)
        height = 0.5 * swell + 0.7 * ripple
        base = mix(color, skyline, far * 0.75) * (1 + 0.07 * height)
        glint = np.clip(height - 1.3, 0, 1) * 0.7
        return base + (light.reshape(3, 1, 1) - base) * glint

    return fill


def foliage(color: Array, light: Array, scale: float = 1.6, shift: float = 0.0) -> Fill:
    """Return a fill of leaves in clumps; `shift` varies it between plants of one kind."""
    dark = color * np.float32(0.8)

    def fill(at: Texels) -> Array:
        clumps = noise(at.s + np.float32(shift * 7), at.t + np.float32(shift * 3), scale, 0.75)
        return mix(dark, light, np.clip(0.45 + 0.26 * clumps, 0, 1))

    return fill


def gradient(foot: Array, head: Array, height: float) -> Fill:
    """Return a fill with a smooth gradient from t = 0 up to a height."""

    def fill(at: Texels) -> Array:
        share = np.clip(at.t / np.float32(height), 0, 1)
        return mix(foot, head, share * share * (3 - 2 * share))

    return fill


def shifted(fill: Fill, s: float, t: float) -> Fill:
    """Return a fill with its origin shifted."""
    return lambda at: fill(Texels(at.s - np.float32(s), at.t - np.float32(t), at.depth))


_LAMPLIGHT = np.array([1.0, 0.86, 0.55], np.float32).reshape(3, 1, 1)
