"""Geometry of a scene in metres: planes, local frames, the camera, and simple outlines.

The x axis points right, y up and z forward; the ground is y = 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sceneparse.scenes.canvas import Array

Vector = tuple[float, float, float]
UP: Array = np.array([0, 1, 0], np.float32)


class Texels(NamedTuple):
    """Positions on a patch for each pixel: coordinates on its two axes and depth, in metres."""

    s: Array
    t: Array
    depth: Array


Fill = Callable[[Texels], Array]
"""Function from positions on a patch to colours `(3, h, w)`."""


@dataclass(frozen=True)
class Patch:
    """A plane in space: its origin and its two axes, in world coordinates."""

    origin: Array
    u: Array
    v: Array

    def points(self, outline: Array) -> Array:
        """Return world points `(N, 3)` of patch coordinates `(N, 2)`."""
        return self.origin + outline[:, :1] * self.u + outline[:, 1:] * self.v


@dataclass(frozen=True)
class LocalFrame:
    """A local frame: an origin in the world, and a rotation about the vertical axis."""

    origin: Array
    right: Array
    forward: Array

    @classmethod
    def at(cls, x: float, y: float, z: float, degrees: float = 0.0) -> "LocalFrame":
        """Return the frame at coordinates; `degrees` rotate `forward` towards the right."""
        return cls.on(np.array([x, y, z], np.float32), degrees)

    @classmethod
    def on(cls, point: Array, degrees: float) -> "LocalFrame":
        """Return the frame at a world point; `degrees` rotate `forward` towards the right."""
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        right = np.array([cosine, 0, -sine], np.float32)
        return cls(point, right, np.array([sine, 0, cosine], np.float32))

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """Right, up and forward as unit vectors."""
        return self.right, UP, self.forward

    def world(self, x: float, y: float, z: float) -> Array:
        """Return the world point of local coordinates."""
        return (
            self.origin
            + self.right * np.float32(x)
            + UP * np.float32(y)
            + self.forward * np.float32(z)
        )

    def local(self, point: Array) -> tuple[float, float, float]:
        """Return the local coordinates of a world point."""
        offset = point - self.origin
        return float(offset @ self.right), float(offset[1]), float(offset @ self.forward)

    def moved(self, x: float, y: float, z: float, degrees: float = 0.0) -> "LocalFrame":
        """Return a frame at local coordinates, rotated further by `degrees`."""
        own = math.degrees(math.atan2(self.forward[0], self.forward[2]))
        return LocalFrame.on(self.world(x, y, z), own + degrees)

    def upright(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Patch:
        """Return the plane of right and up through a local point."""
        return Patch(self.world(x, y, z), self.right, UP)

    def flat(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Patch:
        """Return the plane of right and forward through a local point."""
        return Patch(self.world(x, y, z), self.right, self.forward)

    def sideways(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Patch:
        """Return the plane of forward and up through a local point."""
        return Patch(self.world(x, y, z), self.forward, UP)


@dataclass(frozen=True)
class Camera:
    """A level camera with a shift lens, so that vertical lines stay vertical.

    Attributes:
        eye: Position in world coordinates, in metres.
        degrees: Rotation of the view to the right.
        focal: Focal length as a share of the mean side of the image.
        horizon: Distance of the horizon from the top, as a share of the image height.
    """

    eye: Array
    degrees: float = 0.0
    focal: float = 0.9
    horizon: float = 0.5


def rectangle(x: float, y: float, width: float, height: float) -> Array:
    """Return the corners `(4, 2)` of a rectangle."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def ellipse(x: float, y: float, width: float, height: float, power: float = 2.0) -> Array:
    """Return a superellipse about a centre; a higher `power` is closer to a rectangle."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False, dtype=np.float32)
    cosine, sine = np.cos(angle), np.sin(angle)
    bend = np.float32(2 / power)
    return np.stack(
        [
            x + np.sign(cosine) * np.abs(cosine) ** bend * np.float32(width / 2),
            y + np.sign(sine) * np.abs(sine) ** bend * np.float32(height / 2),
        ],
        axis=1,
    ).astype(np.float32)


def polygon(*corners: tuple[float, float]) -> Array:
    """Return corners as an array `(N, 2)`."""
    return np.array(corners, np.float32)
