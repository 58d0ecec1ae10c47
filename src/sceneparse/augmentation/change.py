"""What is to be changed in a sample, drawn at random before its file is opened.

What is random is a function of (seed, epoch, sample index) alone, never of worker, rank or history:
any number of processes sees the same data, and a run resumes from its step. Nothing here depends on
the image, so that its file may be decoded at no more than the scale that is needed.

Every number is drawn in every sample, whether it is needed or not: what one field does stays the
same when another one is switched on.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sceneparse.augmentation.settings import TransformSettings

# Places that are tried until one class does not take too much of the cut, as in mmsegmentation.
_TRIES = 10
# Largest standard deviations of the blur, in pixels of the square, and of the noise, in 0..255; and
# the lowest and the highest JPEG quality: what still looks like a photo that somebody took.
_BLUR_SIGMA, _NOISE_SIGMA, _JPEG_QUALITY = 2.0, 12.0, (30, 95)


class Crop(NamedTuple):
    """What is cut out, in shares of the image's height and width.

    A cut that is larger than the image reaches beyond it on both sides.

    Attributes:
        top: Where it begins.
        left: Where it begins.
        height: Of the cut.
        width: Of the cut.
    """

    top: float
    left: float
    height: float
    width: float


class Cut(NamedTuple):
    """What is cut out of an image whose size is not known yet.

    Attributes:
        height: In shares of the image's height, or of its shorter side.
        width: In shares of the image's width, or of its shorter side.
        of_shorter_side: Whether both are shares of the shorter side.
        places: Where it may lie: top and left in 0..1 of the room that it has.
        angle: By which it is turned about its middle, in degrees; what is seen turns against the
            clock.
    """

    height: float
    width: float
    of_shorter_side: bool
    places: tuple[tuple[float, float], ...]
    angle: float = 0.0

    def crops(self, size: tuple[int, int]) -> list[Crop]:
        """Lay the cut over an image of a height and width, at each of its places."""
        height, width = self.height, self.width
        if self.of_shorter_side:
            height, width = height * min(size) / size[0], width * min(size) / size[1]
        # A cut that is larger than the image has negative room: the image moves in it.
        return [
            Crop((1 - height) * top, (1 - width) * left, height, width) for top, left in self.places
        ]

    def needed(self, size: int) -> tuple[int, int]:
        """Return the height and width of an image of which the cut fills a square of a side."""
        height, width = max(1, round(size / self.height)), max(1, round(size / self.width))
        longer = max(height, width)
        return (longer, longer) if self.of_shorter_side else (height, width)


class Colors(NamedTuple):
    """A change of colours, applied in this order.

    Attributes:
        brightness: What values are multiplied by.
        contrast: What their distance from the mean grey is multiplied by.
        saturation: What their distance from their own grey is multiplied by.
        hue: What is added to the hue in HSV, as a share of the colour circle.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0


class Degradation(NamedTuple):
    """What a worse camera would have done, applied in this order.

    Attributes:
        blur: Standard deviation in pixels; 0 for none.
        noise: Standard deviation in 0..255; 0 for none.
        noise_seed: Of the noise.
        quality: Of a JPEG in 1..95; 0 for none.
    """

    blur: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0
    quality: int = 0


class Box(NamedTuple):
    """A rectangle of another sample is laid over (CutMix).

    Attributes:
        crop: Which one, in shares of the square.
    """

    crop: Crop


class HalfOfClasses(NamedTuple):
    """What belongs to half of the classes of another sample is laid over (ClassMix).

    Attributes:
        seed: Of the choice among its classes.
    """

    seed: int


class RareClasses(NamedTuple):
    """What belongs to rare classes in another sample is laid over (copy-paste)."""


class Mix(NamedTuple):
    """What another sample adds to one.

    Attributes:
        partner: Index of the other sample.
        cut: How it is cut.
        flip: Whether it is mirrored.
        part: What of it is laid over.
    """

    partner: int
    cut: Cut
    flip: bool
    part: Box | HalfOfClasses | RareClasses


class Change(NamedTuple):
    """What is done to one sample.

    Attributes:
        cut: What is cut out.
        flip: Whether it is mirrored left and right.
        colors: How its colours change.
        degradation: Blur, noise and JPEG, if any.
        mix: What is laid over it, if anything.
        learned: Row and column of the first pixel of its mask that is learned from.
    """

    cut: Cut
    flip: bool
    colors: Colors
    degradation: Degradation = Degradation()
    mix: Mix | None = None
    learned: tuple[int, int] = (0, 0)


def drawn(settings: TransformSettings, random: np.random.Generator) -> Change:
    """Draw a change at random."""
    scale = settings.scale_of_square
    if scale is None:
        side, most = random.uniform(settings.crop, 1.0), 1.0
    else:
        side, most = 1 / random.uniform(*scale), np.inf
    stretch = settings.aspect ** random.uniform(-0.5, 0.5)
    height, width = min(most, side * stretch), min(most, side / stretch)
    left, top = random.random(), random.random()
    flip = bool(random.random() < settings.flip)
    colors = _colors(settings, random)
    angle = settings.rotation * random.uniform(-1, 1)
    places = [(top, left)]
    more = random.random((_TRIES - 1, 2)).tolist()
    if settings.class_share < 1:
        places += [(above, before) for above, before in more]
    cut = Cut(height, width, scale is not None, tuple(places), angle)
    return Change(cut, flip, colors, _degradation(settings, random))


def _colors(settings: TransformSettings, random: np.random.Generator) -> Colors:
    ranges = (settings.brightness, settings.contrast, settings.saturation)
    brightness, contrast, saturation = (random.uniform(1 - most, 1 + most) for most in ranges)
    hue = random.uniform(-settings.hue, settings.hue)
    values = (brightness, contrast, saturation, hue)
    happens = random.random(4) < settings.color_probability
    chosen = (
        value if changes else same
        for value, changes, same in zip(values, happens, Colors(), strict=True)
    )
    colors = Colors(*chosen)
    return colors._replace(saturation=0.0) if random.random() < settings.grey else colors


def _degradation(settings: TransformSettings, random: np.random.Generator) -> Degradation:
    def drawn_if(probability: float, value: Callable[[float], float]) -> float:
        happens, place = random.random(2).tolist()
        return value(place) if happens < probability else 0

    # A blur or noise of less than a tenth of the most could not be seen.
    blur = drawn_if(settings.blur, lambda place: _BLUR_SIGMA * (0.1 + 0.9 * place))
    noise = drawn_if(settings.noise, lambda place: _NOISE_SIGMA * (0.1 + 0.9 * place))
    seed = int(random.integers(2**32))
    worst, best = _JPEG_QUALITY
    quality = drawn_if(settings.jpeg, lambda place: worst + round((best - worst) * place))
    return Degradation(blur, noise, seed, int(quality))
