"""The random parameters of the transform of a sample, drawn before its file is opened.

The parameters are a function of (seed, epoch, sample index) alone, not of thread, rank or history:
any number of processes gets the same data, and a run resumes from its step. They do not depend on
the image, so that its file can be decoded at the lowest resolution that the crop needs.

Each number is drawn for every sample, even if it is unused: enabling one field does not change the
random numbers of the others.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sceneparse.augmentation.settings import TransformSettings

# Number of crop positions to try for `class_share`, as in MMSegmentation.
_POSITION_TRIES = 10
# Maximum standard deviation of the blur in pixels of the square, and of the noise in 0..255, and
# the range of JPEG quality. Stronger degradation no longer looks like camera images.
_MAX_BLUR_SIGMA, _MAX_NOISE_SIGMA, _JPEG_QUALITY_RANGE = 2.0, 12.0, (30, 95)


class CropBox(NamedTuple):
    """The box of a crop, relative to the height and width of the image.

    A box larger than 1 extends beyond the image on both sides.

    Attributes:
        top: Top edge, as a share of the image height.
        left: Left edge, as a share of the image width.
        height: Height of the box, as a share of the image height.
        width: Width of the box, as a share of the image width.
    """

    top: float
    left: float
    height: float
    width: float


class RandomCrop(NamedTuple):
    """The parameters of a crop of an image whose size is not yet known.

    Attributes:
        height: Height of the crop, as a share of the image height or of the shorter side.
        width: Width of the crop, as a share of the image width or of the shorter side.
        relative_to_shorter_side: Whether height and width are shares of the shorter side.
        positions: Candidate positions: top and left in 0..1 of the free space beside the crop.
        angle: Counter-clockwise rotation of the content about the centre of the crop, in degrees.
    """

    height: float
    width: float
    relative_to_shorter_side: bool
    positions: tuple[tuple[float, float], ...]
    angle: float = 0.0

    def boxes(self, size: tuple[int, int]) -> list[CropBox]:
        """Return the box at each candidate position, for an image of a height and width."""
        height, width = self.height, self.width
        if self.relative_to_shorter_side:
            height, width = height * min(size) / size[0], width * min(size) / size[1]
        # For a crop larger than the image, the free space is negative: the image moves inside it.
        return [
            CropBox((1 - height) * top, (1 - width) * left, height, width)
            for top, left in self.positions
        ]

    def min_image_size(self, size: int) -> tuple[int, int]:
        """Return the image height and width at which the crop has `size` pixels per side."""
        height, width = max(1, round(size / self.height)), max(1, round(size / self.width))
        longer_side = max(height, width)
        return (longer_side, longer_side) if self.relative_to_shorter_side else (height, width)


class ColorJitter(NamedTuple):
    """The colour jitter of an image, applied in this order.

    Attributes:
        brightness: Factor of the values.
        contrast: Factor of the difference from the mean grey of the image.
        saturation: Factor of the difference from the grey of each pixel.
        hue: Shift of the hue in HSV, as a share of the colour circle.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0


class Degradation(NamedTuple):
    """The degradation of an image, as by a worse camera, applied in this order.

    Attributes:
        blur: Standard deviation of the blur in pixels; 0 for no blur.
        noise: Standard deviation of the noise in 0..255; 0 for no noise.
        noise_seed: Seed of the noise.
        quality: JPEG quality in 1..95; 0 for no compression.
    """

    blur: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0
    quality: int = 0


class PasteRectangle(NamedTuple):
    """Paste a rectangle of the other sample (CutMix).

    Attributes:
        box: The rectangle, relative to the square.
    """

    box: CropBox


class PasteHalfOfClasses(NamedTuple):
    """Paste the pixels of half of the classes of the other sample (ClassMix).

    Attributes:
        seed: Seed of the choice of classes.
    """

    seed: int


class PasteRareClasses(NamedTuple):
    """Paste the pixels of rare classes of the other sample (copy-paste)."""


class MixParameters(NamedTuple):
    """The parameters of mixing with another sample.

    Attributes:
        partner: Index of the other sample.
        crop: Crop of the other sample.
        flip: Whether the other sample is flipped horizontally.
        region: Region of the other sample to paste.
    """

    partner: int
    crop: RandomCrop
    flip: bool
    region: PasteRectangle | PasteHalfOfClasses | PasteRareClasses


class TransformParameters(NamedTuple):
    """The parameters of the transform of one sample.

    Attributes:
        crop: The crop.
        flip: Whether the crop is flipped horizontally.
        color_jitter: The colour jitter.
        degradation: Blur, noise and JPEG compression.
        mix: Mixing with another sample; none for no mixing.
        mask_offset: Row and column of the first mask pixel, for a mask stride above 1.
    """

    crop: RandomCrop
    flip: bool
    color_jitter: ColorJitter
    degradation: Degradation = Degradation()
    mix: MixParameters | None = None
    mask_offset: tuple[int, int] = (0, 0)


def draw_parameters(
    settings: TransformSettings, random: np.random.Generator
) -> TransformParameters:
    """Draw the parameters of one sample, without mixing."""
    scale = settings.scale_of_square
    if scale is None:
        side, max_side = random.uniform(settings.crop, 1.0), 1.0
    else:
        side, max_side = 1 / random.uniform(*scale), np.inf
    stretch = settings.aspect ** random.uniform(-0.5, 0.5)
    height, width = min(max_side, side * stretch), min(max_side, side / stretch)
    left, top = random.random(), random.random()
    flip = bool(random.random() < settings.flip)
    color_jitter = _draw_color_jitter(settings, random)
    angle = settings.rotation * random.uniform(-1, 1)
    positions = [(top, left)]
    more_positions = random.random((_POSITION_TRIES - 1, 2)).tolist()
    if settings.class_share < 1:
        positions += [(y, x) for y, x in more_positions]
    crop = RandomCrop(height, width, scale is not None, tuple(positions), angle)
    return TransformParameters(crop, flip, color_jitter, _draw_degradation(settings, random))


def _draw_color_jitter(settings: TransformSettings, random: np.random.Generator) -> ColorJitter:
    ranges = (settings.brightness, settings.contrast, settings.saturation)
    brightness, contrast, saturation = (
        random.uniform(1 - max_change, 1 + max_change) for max_change in ranges
    )
    hue = random.uniform(-settings.hue, settings.hue)
    values = (brightness, contrast, saturation, hue)
    is_applied = random.random(4) < settings.color_probability
    chosen = (
        value if applied else unchanged
        for value, applied, unchanged in zip(values, is_applied, ColorJitter(), strict=True)
    )
    color_jitter = ColorJitter(*chosen)
    return (
        color_jitter._replace(saturation=0.0) if random.random() < settings.grey else color_jitter
    )


def _draw_degradation(settings: TransformSettings, random: np.random.Generator) -> Degradation:
    def draw_if(probability: float, value: Callable[[float], float]) -> float:
        chance, position = random.random(2).tolist()
        return value(position) if chance < probability else 0

    # Blur or noise below a tenth of the maximum would not be visible.
    blur = draw_if(settings.blur, lambda position: _MAX_BLUR_SIGMA * (0.1 + 0.9 * position))
    noise = draw_if(settings.noise, lambda position: _MAX_NOISE_SIGMA * (0.1 + 0.9 * position))
    seed = int(random.integers(2**32))
    min_quality, max_quality = _JPEG_QUALITY_RANGE
    quality = draw_if(
        settings.jpeg, lambda position: min_quality + round((max_quality - min_quality) * position)
    )
    return Degradation(blur, noise, seed, int(quality))
