"""Painting of planes, boxes and prisms with textures and light, as the camera sees them."""

from functools import cache
from typing import overload

import numpy as np

from sceneparse.labels import ade20k_labels
from sceneparse.scenes.canvas import Array, Canvas, Ink
from sceneparse.scenes.palette import Light, Palette, mix
from sceneparse.scenes.space import (
    UP,
    Camera,
    Fill,
    LocalFrame,
    Patch,
    Texels,
    Vector,
    rectangle,
)

NEAR_M = 0.12
_CLEAR_M = 1e5


class ScenePainter:
    """The painter of a scene, with its canvas, camera, light, palette and random numbers.

    Attributes:
        canvas: The image and its mask.
        camera: The camera.
        light: Light of the time of day.
        palette: Colours of the scene.
        rng: Random number generator of the scene.
        haze_m: Distance in metres at which haze hides two thirds of a colour.
        relative_width: Width of the image over its mean side; wide images show wider scenes.
    """

    def __init__(
        self, canvas: Canvas, camera: Camera, light: Light, rng: np.random.Generator
    ) -> None:
        self.canvas = canvas
        self.camera = camera
        self.light = light
        self.palette = Palette(rng)
        self.rng = rng
        self.haze_m = 1e6
        side = float(np.sqrt(canvas.height * canvas.width))
        self.relative_width = canvas.width / side
        self._view_frame = LocalFrame.on(camera.eye, camera.degrees)
        self._rotation = np.stack(self._view_frame.axes)
        self._focal = camera.focal * side
        self._centre = (canvas.width / 2, camera.horizon * canvas.height)
        self._middle = np.array(self._centre, np.float32)

    def paint(
        self,
        patch: Patch,
        outline: Array,
        fill: Fill | Array,
        name: str,
        opacity: float = 1.0,
    ) -> None:
        """Paint a shape that lies on a patch.

        Args:
            patch: The plane.
            outline: Corners `(N, 2)` in patch coordinates.
            fill: Texture, or one colour `(3,)`.
            name: ADE20K class name, or "" for unlabelled pixels.
            opacity: Share of the fill in 0..1 in the mixture with the image behind.
        """
        pixels = self.project(patch.points(outline))
        if len(pixels) < 3:
            return
        self.canvas.paint(pixels, self._ink(patch, fill), class_id(name), opacity)

    def tint(self, patch: Patch, outline: Array, fill: Fill) -> None:
        """Multiply the image under a shape on a patch by colours around 1."""
        pixels = self.project(patch.points(outline))
        if len(pixels) >= 3:
            self.canvas.tint(pixels, self._ink(patch, fill, hazy=False))

    def glow(self, point: Array, radius_m: float, color: Array) -> None:
        """Add a halo of light around a world point."""
        x, y, z = self._rotation @ (point - self.camera.eye)
        if z > NEAR_M:
            scale = self._focal / z
            self.canvas.glow(
                self._centre[0] + x * scale, self._centre[1] - y * scale, radius_m * scale, color
            )

    @property
    def backdrop(self) -> Patch:
        """The image plane: right and up from the horizon's middle, in mean sides."""
        origin = self.camera.eye + self._view_frame.forward * np.float32(self.camera.focal)
        return Patch(origin, self._view_frame.right, UP)

    def prism(
        self,
        frame: LocalFrame,
        profile: Array,
        half: float,
        fill: Fill | Array,
        name: str,
        cap: Fill | Array | None = None,
    ) -> None:
        """Paint a prism: a convex profile in forward and up, extruded to both sides.

        Args:
            frame: Where the prism stands.
            profile: Corners `(N, 2)`, counter-clockwise seen with forward to the right.
            half: Half the width of the prism.
            fill: Texture or colour of the side faces.
            name: ADE20K class name.
            cap: Texture of the two ends, if it differs.
        """
        eye = frame.local(self.camera.eye)
        for here, after in zip(profile, np.roll(profile, -1, axis=0), strict=True):
            along = after - here
            normal = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-6)
            if (eye[2] - here[0]) * normal[0] + (eye[1] - here[1]) * normal[1] <= 0:
                continue
            up = frame.forward * along[0] + UP * along[1]
            long = float(np.hypot(*along))
            patch = Patch(
                frame.world(-half, here[1], here[0]), frame.right, up / np.float32(max(long, 1e-6))
            )
            out = (frame.forward * normal[0] + UP * normal[1]).astype(np.float32)
            self.paint(patch, rectangle(0, 0, 2 * half, long), self.lit(fill, out), name)
        if abs(eye[0]) > half:
            side = half if eye[0] > 0 else -half
            out = frame.right * np.float32(np.sign(side))
            end = self.lit(fill if cap is None else cap, out)
            self.paint(frame.sideways(side), profile, end, name)

    def facing(self, frame: LocalFrame) -> LocalFrame:
        """Return a frame with the same origin, parallel to the image plane."""
        return LocalFrame.on(frame.origin, self.camera.degrees)

    def box(
        self,
        frame: LocalFrame,
        low: Vector,
        high: Vector,
        fill: Fill | Array,
        name: str,
        front: Fill | None = None,
    ) -> None:
        """Paint the visible faces of a box given by two corners in frame coordinates.

        Args:
            frame: Where the box stands.
            low: Corner with the smallest coordinates.
            high: Corner with the largest coordinates.
            fill: Texture or colour of all faces.
            name: ADE20K class name.
            front: Texture of the face towards negative z, if it differs.
        """
        eye = frame.local(self.camera.eye)
        for axis in (1, 0, 2):
            if low[axis] < eye[axis] < high[axis]:
                continue
            far = eye[axis] >= high[axis]
            corner = list(low)
            corner[axis] = (high if far else low)[axis]
            a, b = ((2, 1), (0, 2), (0, 1))[axis]
            patch = Patch(frame.world(*corner), frame.axes[a], frame.axes[b])
            normal = frame.axes[axis] * np.float32(1 if far else -1)
            own = front if front and axis == 2 and not far else fill
            size = (high[a] - low[a], high[b] - low[b])
            self.paint(patch, rectangle(0, 0, *size), self.lit(own, normal, size[1]), name)

    @overload
    def lit(self, fill: Fill, normal: Array, height: float = 0.0) -> Fill: ...

    @overload
    def lit(self, fill: Fill | Array, normal: Array, height: float = 0.0) -> Fill | Array: ...

    def lit(self, fill: Fill | Array, normal: Array, height: float = 0.0) -> Fill | Array:
        """Return a fill under the light of the scene; with a height, it is darker near its foot."""
        light = self.light.on(normal)
        if not callable(fill):
            if not height:
                return fill * light
            color = (fill * light).reshape(3, 1, 1)
            return lambda at: color * _foot_shading(at.t, height)
        factor = light.reshape(3, 1, 1)
        if not height or abs(normal[1]) > 0.5:
            return lambda at: fill(at) * factor
        return lambda at: fill(at) * (factor * _foot_shading(at.t, height))

    def contact_shadow(
        self, frame: LocalFrame, width: float, depth: float, strength: float = 0.5
    ) -> None:
        """Darken the ground softly under and around an object of a width and depth."""
        margin = 0.12 + 0.12 * min(width, depth)
        half = np.array([width / 2, depth / 2], np.float32)

        def shadow(at: Texels) -> Array:
            across = np.maximum(np.abs(at.s) - half[0], 0) / np.float32(margin)
            along = np.maximum(np.abs(at.t) - half[1], 0) / np.float32(margin)
            near = np.maximum(1 - np.sqrt(across * across + along * along), 0)
            return 1 - np.float32(strength) * (near * near)[None] * _SHADOW

        reach = half + margin
        self.tint(frame.flat(0, 0.002), rectangle(*-reach, *(2 * reach)), shadow)

    def project(self, points: Array) -> Array:
        """Project a world polygon to pixels `(M, 2)`, clipped just in front of the camera."""
        view = (points - self.camera.eye) @ self._rotation.T
        if min(view[:, 2].tolist()) < NEAR_M:
            view = _clip_near(view)
        scale = np.float32(self._focal) / view[:, 2:]
        return self._middle + view[:, :2] * scale * _DOWN

    def _ink(self, patch: Patch, fill: Fill | Array, hazy: bool = True) -> Ink:
        planes = self._planes(patch)
        hazy = hazy and self.haze_m < _CLEAR_M

        def ink(x: Array, y: Array) -> Array:
            if not callable(fill):
                if not hazy:
                    return fill.reshape(3, 1, 1)
                x, y = x[:, x.size // 2, None], y[y.size // 2, None]
            texels = _texels(planes, x, y)
            color = fill(texels) if callable(fill) else fill.reshape(3, 1, 1)
            if not hazy:
                return color
            clear = np.exp(texels.depth * np.float32(-1 / self.haze_m))
            skyline = self.light.skyline.reshape(3, 1, 1)
            return (color - skyline) * clear + skyline

        return ink

    def _planes(self, patch: Patch) -> list[Vector]:
        """Return the linear functions of a pixel that give 1, s and t over depth.

        The ray of a pixel meets the patch where `ray * depth = origin + s * u + t * v`; three
        linear functions of the pixel solve that for 1 / depth, s / depth and t / depth.
        """
        sides = np.stack([patch.origin - self.camera.eye, patch.u, patch.v])
        origin, u, v = (sides @ self._rotation.T).tolist()
        rows = _cross(u, v), _cross(v, origin), _cross(origin, u)
        volume = sum(a * b for a, b in zip(origin, rows[0], strict=True))
        # A plane seen exactly edge-on has zero volume; its few pixels may get any texture.
        scale = 1 / (volume if abs(volume) > 1e-6 else 1e-6)
        middle, level = self._centre
        return [
            (
                a * scale / self._focal,
                -b * scale / self._focal,
                (c - (a * middle - b * level) / self._focal) * scale,
            )
            for a, b, c in rows
        ]


@cache
def class_id(name: str) -> int:
    """Return the raw ADE20K id of a class name; "" is 0, unlabelled."""
    if not name:
        return 0
    labels = ade20k_labels()
    return labels.raw_ids[labels.class_names.index(name)]


def _foot_shading(t: Array, height: float) -> Array:
    """Return the brightness along a height, which is lower near the foot."""
    return np.float32(0.84) + np.clip(t * np.float32(0.16 / height), 0, np.float32(0.16))


def _cross(a: list[float], b: list[float]) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _texels(planes: list[Vector], x: Array, y: Array) -> Texels:
    inverse, s, t = (x * np.float32(a) + (y * np.float32(b) + np.float32(c)) for a, b, c in planes)
    # Rays of pixels at the edge of a shape may pass just beyond the horizon of the plane.
    depth = 1 / np.maximum(inverse, np.float32(1e-4))
    s *= depth
    t *= depth
    return Texels(s, t, depth)


def _clip_near(view: Array) -> Array:
    kept: list[Array] = []
    for here, after in zip(view, np.roll(view, -1, axis=0), strict=True):
        if here[2] >= NEAR_M:
            kept.append(here)
        if (here[2] >= NEAR_M) != (after[2] >= NEAR_M):
            share = (NEAR_M - here[2]) / (after[2] - here[2])
            kept.append(mix(here, after, float(share)))
    return np.array(kept, np.float32).reshape(-1, 3)


_DOWN = np.array([1, -1], np.float32)
_SHADOW = np.array([1.0, 0.96, 0.86], np.float32).reshape(3, 1, 1)
