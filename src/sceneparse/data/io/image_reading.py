"""How image files become arrays, and what their headers say."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sceneparse.data.io.orientation import SIDES_SWAPPED

RGB_CHANNELS = 3


@dataclass(frozen=True)
class ImageReading:
    """How image files become arrays of 8 bits.

    Attributes:
        applies_orientation: Whether images are turned as their EXIF orientation says.
        value_range: The values of a file that become 0 and 255; values outside are clipped. None:
            the smallest and the largest number that the file can hold.
        bands: The bands of a file to read, in this order, numbered from 1. None: its colours as
            RGB.
    """

    applies_orientation: bool = True
    value_range: tuple[float, float] | None = None
    bands: tuple[int, ...] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return what determines the pixels, for caches; bands only where they are chosen."""
        text = repr(self)
        return text if self.bands is None else f"{text[:-1]}, bands={self.bands})"

    @property
    def channels(self) -> int:
        """Number of channels of each image."""
        return RGB_CHANNELS if self.bands is None else len(self.bands)


DEFAULT_READING = ImageReading()


class ImageHeader(NamedTuple):
    """What the header of an image file says.

    Attributes:
        height: Height of the stored pixels, before they are turned.
        width: Width of the stored pixels.
        orientation: EXIF orientation, 1 for upright (EXIF 2.32, tag 0x0112).
        bits: Bits per value: 8, 16 or 32.
    """

    height: int
    width: int
    orientation: int
    bits: int

    def size(self, reading: ImageReading = DEFAULT_READING) -> tuple[int, int]:
        """Return height and width of the image as it is read."""
        if reading.applies_orientation and self.orientation in SIDES_SWAPPED:
            return self.width, self.height
        return self.height, self.width
