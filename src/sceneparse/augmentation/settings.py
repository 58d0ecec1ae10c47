"""Settings of the augmentation of training images."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.system.settings import PositiveFloat, Share, ShareBelowOne, Side, settings


@settings
class ProgressiveResizing:
    """Small images in the first epochs, which then take a fraction of the time (Howard, 2018)."""

    start_size: Side = 128
    """Side of the square in the first epoch, from which it grows in steps of 32 pixels."""
    share: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the epochs after which the full size is reached."""


@settings
class TransformSettings:
    """How training images are sized, and what is changed in them at random."""

    size: Side = 256
    """Side in pixels of the square that the network sees."""
    progressive_resizing: ProgressiveResizing | None = None
    """Smaller squares in the first epochs; none: `size` from the beginning."""
    mask_stride: Literal[1, 2, 4] = 1
    """Stride at which the loss takes pixels of the square's mask: at 2 it takes a quarter of the
    time, which is a third of a step or more where there are many classes."""
    crop: Annotated[float, Gt(0), Le(1)] = 1.0
    """Smallest share of the sides that a crop keeps; 1 keeps the whole image."""
    aspect: Annotated[float, Ge(1), Le(4)] = 1.0
    """Largest factor by which the aspect ratio of the crop differs from the image's."""
    scale: tuple[PositiveFloat, PositiveFloat] | None = None
    """Range of random scale, as `[0.5, 2]`: the image's shorter side becomes `short_side` times
    a factor in it, and a square of `size` is cropped, void where it reaches beyond the image."""
    short_side: Side | None = None
    """Pixels of the image's shorter side at scale 1; none: `size`."""
    class_share: Annotated[float, Gt(0), Le(1)] = 1.0
    """Largest share of a crop that one class may take, if one of ten tries allows it."""
    rotation: Annotated[float, Ge(0), Le(180)] = 0.0
    """Largest angle in degrees; void where the crop then reaches beyond the image."""
    flip: Share = 0.0
    """Probability of a horizontal flip."""
    brightness: ShareBelowOne = 0.0
    """Largest relative change of brightness."""
    contrast: ShareBelowOne = 0.0
    """Largest relative change of contrast."""
    saturation: Share = 0.0
    """Largest relative change of saturation, of RGB images only."""
    hue: Annotated[float, Ge(0), Le(0.5)] = 0.0
    """Largest shift of hue, as a share of the colour circle, of RGB images only."""
    color_probability: Share = 1.0
    """Probability of each of these four changes."""
    grey: Share = 0.0
    """Probability of removing all colour, of RGB images only."""
    blur: Share = 0.0
    """Probability of blurring."""
    noise: Share = 0.0
    """Probability of adding noise."""
    jpeg: Share = 0.0
    """Probability of JPEG artefacts, of RGB images only."""
    cutmix: Share = 0.0
    """Probability of pasting a rectangle of another image."""
    classmix: Share = 0.0
    """Probability of pasting the pixels of half of the classes of another image."""
    copy_paste: Share = 0.0
    """Probability of pasting the pixels of rare classes of another image."""
    rare_below: Annotated[float, Gt(0), Lt(1)] = 0.001
    """Share of all labelled training pixels below which a class is rare, for `copy_paste`."""

    def __post_init__(self) -> None:
        """Refuse fields that contradict each other or have no effect."""
        self._check_sizes()
        self._check_crops()

    def _check_sizes(self) -> None:
        start = self.start_size
        if start > self.size:
            raise ValueError(f"progressive_resizing.start_size {start} is above size {self.size}")
        for side in (start, self.size):
            if side % self.mask_stride:
                raise ValueError(f"size {side} is no multiple of mask_stride {self.mask_stride}")

    def _check_crops(self) -> None:
        if self.scale is None and self.short_side is not None:
            raise ValueError("short_side is the side at scale 1; give scale too, as [0.5, 2]")
        if self.scale is not None and self.scale[0] > self.scale[1]:
            raise ValueError("scale begins with the larger number; give the smaller one first")
        if self.scale is not None and self.crop < 1:
            raise ValueError("crop and scale both set the size of the crop; remove one of them")
        if self.scale is None and self.crop == 1 and self.class_share < 1:
            raise ValueError("class_share needs several crop positions; set crop < 1 or scale")
        if self.cutmix + self.classmix + self.copy_paste > 1:
            raise ValueError(
                "cutmix, classmix and copy_paste add up to more than 1; an image takes one of them"
            )

    @property
    def start_size(self) -> int:
        """Side in pixels of the square in the first epoch."""
        return self.progressive_resizing.start_size if self.progressive_resizing else self.size

    @property
    def mask_size(self) -> int:
        """Side in pixels of the mask that the loss takes."""
        return self.size // self.mask_stride

    @property
    def scale_of_square(self) -> tuple[float, float] | None:
        """Range of the image's shorter side, in sides of the square; none without `scale`."""
        base = (self.short_side or self.size) / self.size
        return self.scale and (self.scale[0] * base, self.scale[1] * base)

    def size_schedule(self, epochs: int) -> SizeSchedule | None:
        """Return the sizes of the epochs of a run; none if all epochs have the same."""
        resizing = self.progressive_resizing
        if resizing is None:
            return None
        return SizeSchedule(resizing.start_size, self.size, round(resizing.share * epochs))
