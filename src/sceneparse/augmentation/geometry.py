"""From a sample to the square that is cut out of it, wherever that lies, however it is turned.

One resampling in each of three ways: a cut within the image (`resampling.py`, the fastest), one
that reaches beyond it, and one that is turned. What lies beyond is filled in the image and void
in the mask.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse.augmentation.change import Crop, Cut
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.turning import Turn, turned_image, turned_mask
from sceneparse.data.dataset import Sample
from sceneparse.labels import Mask

# Mean colour of ImageNet, which is about nothing to a network after its normalisation.
FILL = (124, 116, 104)


class Square(NamedTuple):
    """The square that comes out.

    Attributes:
        size: Its side.
        class_share: Largest share of it that one class may take, if any place allows it.
        ignore_index: Train id of void.
    """

    size: int
    class_share: float
    ignore_index: int


def cut_out(sample: Sample, cut: Cut, square: Square, *, flip: bool) -> Sample:
    """Cut a part out of a sample and scale it to a square.

    The image may have been decoded at a smaller scale than the mask.
    """
    crops = cut.crops((sample.mask.shape[0], sample.mask.shape[1]))
    crop = crops[0] if len(crops) == 1 else fitting(sample, crops, cut.angle, square)
    if cut.angle:
        turn = Turn(crop, cut.angle, square.size, flip)
        image = turned_image(sample.image, turn, FILL)
        return Sample(image, turned_mask(sample.mask, turn, square.ignore_index), sample.name)
    if max(crop.height, crop.width) <= 1:
        image, mask = resample(sample.image, sample.mask, crop, square.size, flip=flip)
        return Sample(image, mask, sample.name)
    image, mask = _image(sample.image, crop, square.size), _mask(sample, crop, square)
    if flip:
        image, mask = np.ascontiguousarray(image[:, ::-1]), mask[:, ::-1]
    return Sample(image, mask, sample.name)


def fitting(sample: Sample, crops: list[Crop], angle: float, square: Square) -> Crop:
    """Return the first crop of which no class takes too much, or the one of which it takes least.

    The bound is that of mmsegmentation's `cat_max_ratio`. Only masks are cut to find it.
    """
    shares: list[float] = []
    for crop in crops:
        if angle:
            turn = Turn(crop, angle, square.size, flip=False)
            mask = turned_mask(sample.mask, turn, square.ignore_index)
        else:
            mask = _mask(sample, crop, square)
        shares.append(largest_share(mask, square.ignore_index))
        if shares[-1] <= square.class_share:
            return crop
    return crops[int(np.argmin(shares))]


def largest_share(mask: Mask, ignore_index: int) -> float:
    """Return the share of a mask's labelled pixels that its largest class takes; 1 if none are."""
    counts = np.bincount(mask.ravel(), minlength=ignore_index + 1)[:ignore_index]
    return float(counts.max() / max(1, counts.sum())) if counts.any() else 1.0


class _Axis(NamedTuple):
    """Which pixels of an image are shown where in the square, along one axis.

    Attributes:
        first: First pixel of the image.
        last: Last one, exclusive.
        begin: Pixel of the square where they begin.
        end: Where they end, exclusive.
    """

    first: int
    last: int
    begin: int
    end: int


def _axis(start: float, length: float, pixels: int, size: int) -> _Axis:
    if length <= 1:
        first = min(round(start * pixels), pixels - 1)
        last = min(pixels, max(first + 1, round((start + length) * pixels)))
        return _Axis(first, last, 0, size)
    begin = min(size - 1, round(-start / length * size))
    return _Axis(0, pixels, begin, max(begin + 1, round((1 - start) / length * size)))


def _image(image: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    """Scale what a crop shows of an image to its place in the filled square."""
    rows = _axis(crop.top, crop.height, image.shape[0], size)
    columns = _axis(crop.left, crop.width, image.shape[1], size)
    part = image[rows.first : rows.last, columns.first : columns.last].copy()
    # As a batch of pixels, the layout in which torch resamples bytes fastest.
    scaled = F.interpolate(
        torch.from_numpy(part)[None].permute(0, 3, 1, 2),
        (rows.end - rows.begin, columns.end - columns.begin),
        mode="bilinear",
        antialias=True,
    )
    square = np.empty((size, size, 3), np.uint8)
    square[:] = FILL
    place = square[rows.begin : rows.end, columns.begin : columns.end]
    place[:] = scaled[0].permute(1, 2, 0).numpy()
    return square


def _mask(sample: Sample, crop: Crop, square: Square) -> Mask:
    """Take each pixel of the square from the mask by nearest neighbour, as `resample` does."""
    (height, width), mask = sample.image.shape[:2], sample.mask
    rows = _axis(crop.top, crop.height, height, square.size)
    columns = _axis(crop.left, crop.width, width, square.size)
    part = mask[_nearest(rows, mask.shape[0] / height)][:, _nearest(columns, mask.shape[1] / width)]
    if part.shape == (square.size, square.size):
        return part
    whole = np.full((square.size, square.size), square.ignore_index, mask.dtype)
    whole[rows.begin : rows.end, columns.begin : columns.end] = part
    return whole


def _nearest(axis: _Axis, scale: float) -> NDArray[np.intp]:
    """Return the place in the mask of the centre of each pixel of the square that shows it."""
    size = axis.end - axis.begin
    centres = axis.first + (np.arange(size) + 0.5) * ((axis.last - axis.first) / size)
    return (centres * scale).astype(np.intp)
