"""What training changes in an image."""

from typing import Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from sceneparse.config.section import Section


class TransformConfig(Section):
    """How training images are sized, and what is changed in them at random."""

    size: int = Field(default=256, ge=32, le=4096)
    """Side in pixels of the square that the network sees."""
    first_size: int | None = Field(default=None, ge=32, le=4096)
    """Side in the first epoch, from which it grows to `size` in steps of 32 pixels; none: it is
    `size` from the beginning."""
    growth: float = Field(default=0.5, gt=0, le=1)
    """Share of the epochs at the end of which `first_size` has grown to `size`."""
    mask_stride: Literal[1, 2, 4] = 1
    """Of the square's mask, one pixel of so many in each direction is learned from: the loss, which
    is a third of a step or more where there are many classes, takes a quarter at 2."""
    crop: float = Field(default=1.0, gt=0, le=1)
    """Smallest share of the sides that is cut out; 1 keeps the whole image."""
    aspect: float = Field(default=1.0, ge=1, le=4)
    """Largest factor by which the cut's ratio of sides differs from the image's."""
    scale: tuple[PositiveFloat, PositiveFloat] | None = None
    """Range of random scale, as `[0.5, 2]`: the image's shorter side becomes `short_side` times
    a factor in it, and a square of `size` is cut out, void where it reaches beyond the image."""
    short_side: int | None = Field(default=None, ge=32, le=4096)
    """Pixels of the image's shorter side at scale 1; `size` if not given."""
    class_share: float = Field(default=1.0, gt=0, le=1)
    """Largest share of a cut that one class may take, if one of ten places allows it."""
    rotation: float = Field(default=0.0, ge=0, le=180)
    """Largest angle in degrees; void where the cut then reaches beyond the image."""
    flip: float = Field(default=0.0, ge=0, le=1)
    """Probability of mirroring left and right."""
    brightness: float = Field(default=0.0, ge=0, lt=1)
    """Largest relative change of brightness."""
    contrast: float = Field(default=0.0, ge=0, lt=1)
    """Largest relative change of contrast."""
    saturation: float = Field(default=0.0, ge=0, le=1)
    """Largest relative change of saturation."""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Largest shift of hue, as a share of the colour circle."""
    color_probability: float = Field(default=1.0, ge=0, le=1)
    """Of each of these four changes."""
    grey: float = Field(default=0.0, ge=0, le=1)
    """Probability of taking all colour away."""
    blur: float = Field(default=0.0, ge=0, le=1)
    """Probability of blurring."""
    blur_sigma: float = Field(default=2.0, gt=0, le=20)
    """Largest standard deviation of the blur, in pixels of the square."""
    noise: float = Field(default=0.0, ge=0, le=1)
    """Probability of adding noise."""
    noise_sigma: float = Field(default=12.0, gt=0, le=100)
    """Largest standard deviation of the noise, in 0..255."""
    jpeg: float = Field(default=0.0, ge=0, le=1)
    """Probability of artefacts of JPEG."""
    jpeg_quality: int = Field(default=30, ge=1, le=95)
    """Lowest quality of that JPEG; the highest is 95."""
    cutmix: float = Field(default=0.0, ge=0, le=1)
    """Probability of laying a rectangle of another image over one."""
    classmix: float = Field(default=0.0, ge=0, le=1)
    """Probability of laying what belongs to half of the classes of another image over one."""
    copy_paste: float = Field(default=0.0, ge=0, le=1)
    """Probability of laying what belongs to rare classes in another image over one."""
    rare_below: float = Field(default=0.001, gt=0, lt=1)
    """Share of all labelled training pixels below which a class is rare, for `copy_paste`."""

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Refuse sizes that contradict each other."""
        first = self.first_size or self.size
        if first > self.size:
            raise ValueError(f"first_size {first} is larger than size {self.size}")
        for side in (first, self.size):
            if side % self.mask_stride:
                raise ValueError(f"size {side} is no multiple of mask_stride {self.mask_stride}")
        return self

    @model_validator(mode="after")
    def _check_cuts(self) -> Self:
        """Refuse fields that contradict each other, or would silently do nothing."""
        if self.scale is None and self.short_side is not None:
            raise ValueError("short_side is the side at scale 1; give scale too, as [0.5, 2]")
        if self.scale is not None and self.scale[0] > self.scale[1]:
            raise ValueError("scale begins with the larger number; give the smaller one first")
        if self.scale is not None and self.crop < 1:
            raise ValueError("crop and scale are two ways to choose the cut; leave one out")
        if self.scale is None and self.crop == 1 and self.class_share < 1:
            raise ValueError("class_share chooses among cuts; it needs crop < 1 or scale")
        if self.cutmix + self.classmix + self.copy_paste > 1:
            raise ValueError(
                "cutmix, classmix and copy_paste add up to more than 1; an image takes one of them"
            )
        return self

    @property
    def mask_size(self) -> int:
        """Pixels of the side of the mask that is learned from."""
        return self.size // self.mask_stride

    @property
    def largest_side(self) -> float:
        """Pixels of the shorter side of images of which the smallest cut loses no detail."""
        if self.scale is None:
            return self.size * self.aspect**0.5 / self.crop
        return (self.short_side or self.size) * self.aspect**0.5 * self.scale[1]
