"""Cropping of a sample to a square.

There are three kinds of crops, each with a single resampling: inside the image (`resampling.py`,
the fastest), extending beyond the image, and rotated (`rotation.py`). Pixels beyond the image have
a fill colour in the image and `ignore_index` in the mask.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse.augmentation.parameters import CropBox, RandomCrop
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.rotation import RotatedCrop, crop_rotated_image, crop_rotated_mask
from sceneparse.data.dataset import Sample
from sceneparse.data.io.image_reading import RGB_CHANNELS
from sceneparse.labels import Mask

# Mean colour of ImageNet, which normalisation maps to about 0, and the mean of other bands.
FILL, FILL_OF_BANDS = (124, 116, 104), 115


class OutputSquare(NamedTuple):
    """The output square of a crop.

    Attributes:
        size: Side of the square in pixels.
        class_share: Maximum share of one class, if a candidate position allows it.
        ignore_index: Train id of unlabelled pixels.
    """

    size: int
    class_share: float
    ignore_index: int


def crop_to_square(
    sample: Sample, random_crop: RandomCrop, square: OutputSquare, *, flip: bool
) -> Sample:
    """Crop a sample and scale the crop to a square.

    The image may have a lower resolution than the mask.
    """
    boxes = random_crop.boxes((sample.mask.shape[0], sample.mask.shape[1]))
    box = boxes[0] if len(boxes) == 1 else choose_box(sample, boxes, random_crop.angle, square)
    if random_crop.angle:
        rotated_crop = RotatedCrop(box, random_crop.angle, square.size, flip)
        image = crop_rotated_image(sample.image, rotated_crop, fill_of(sample.image))
        return Sample(
            image, crop_rotated_mask(sample.mask, rotated_crop, square.ignore_index), sample.name
        )
    if max(box.height, box.width) <= 1:
        image, mask = resample(sample.image, sample.mask, box, square.size, flip=flip)
        return Sample(image, mask, sample.name)
    image, mask = _crop_image(sample.image, box, square.size), _crop_mask(sample, box, square)
    if flip:
        image, mask = np.ascontiguousarray(image[:, ::-1]), mask[:, ::-1]
    return Sample(image, mask, sample.name)


def choose_box(sample: Sample, boxes: list[CropBox], angle: float, square: OutputSquare) -> CropBox:
    """Return the first box that meets `class_share`, else the one with the smallest share.

    `class_share` is the `cat_max_ratio` of MMSegmentation. Only the mask is cropped to check it.
    """
    shares: list[float] = []
    for box in boxes:
        if angle:
            rotated_crop = RotatedCrop(box, angle, square.size, flip=False)
            mask = crop_rotated_mask(sample.mask, rotated_crop, square.ignore_index)
        else:
            mask = _crop_mask(sample, box, square)
        shares.append(largest_class_share(mask, square.ignore_index))
        if shares[-1] <= square.class_share:
            return box
    return boxes[int(np.argmin(shares))]


def largest_class_share(mask: Mask, ignore_index: int) -> float:
    """Return the share of the most frequent class among labelled pixels; 1 if there are none."""
    counts = np.bincount(mask.ravel(), minlength=ignore_index + 1)[:ignore_index]
    return float(counts.max() / max(1, counts.sum())) if counts.any() else 1.0


def fill_of(image: NDArray[np.uint8]) -> tuple[int, ...]:
    """Return the fill colour of each channel of an image `(H, W, C)`."""
    channels = image.shape[2]
    return FILL if channels == RGB_CHANNELS else (FILL_OF_BANDS,) * channels


class _AxisMapping(NamedTuple):
    """The mapping of image pixels to pixels of the square, along one axis.

    Attributes:
        first: First pixel of the image.
        last: Last pixel of the image, exclusive.
        begin: First pixel of the square.
        end: Last pixel of the square, exclusive.
    """

    first: int
    last: int
    begin: int
    end: int


def _map_axis(start: float, length: float, pixels: int, size: int) -> _AxisMapping:
    if length <= 1:
        first = min(round(start * pixels), pixels - 1)
        last = min(pixels, max(first + 1, round((start + length) * pixels)))
        return _AxisMapping(first, last, 0, size)
    begin = min(size - 1, round(-start / length * size))
    return _AxisMapping(0, pixels, begin, max(begin + 1, round((1 - start) / length * size)))


def _crop_image(image: NDArray[np.uint8], box: CropBox, size: int) -> NDArray[np.uint8]:
    """Crop an image and scale the crop; fill the pixels of the square beyond the image."""
    rows = _map_axis(box.top, box.height, image.shape[0], size)
    columns = _map_axis(box.left, box.width, image.shape[1], size)
    region = image[rows.first : rows.last, columns.first : columns.last].copy()
    # torch resamples bytes fastest in the channels-last layout.
    scaled = F.interpolate(
        torch.from_numpy(region)[None].permute(0, 3, 1, 2),
        (rows.end - rows.begin, columns.end - columns.begin),
        mode="bilinear",
        antialias=True,
    )
    square = np.empty((size, size, image.shape[2]), np.uint8)
    square[:] = fill_of(image)
    target = square[rows.begin : rows.end, columns.begin : columns.end]
    target[:] = scaled[0].permute(1, 2, 0).numpy()
    return square


def _crop_mask(sample: Sample, box: CropBox, square: OutputSquare) -> Mask:
    """Crop a mask by nearest neighbour, as `resample` does; void beyond the image."""
    (height, width), mask = sample.image.shape[:2], sample.mask
    rows = _map_axis(box.top, box.height, height, square.size)
    columns = _map_axis(box.left, box.width, width, square.size)
    region = mask[_nearest(rows, mask.shape[0] / height)][
        :, _nearest(columns, mask.shape[1] / width)
    ]
    if region.shape == (square.size, square.size):
        return region
    square_mask = np.full((square.size, square.size), square.ignore_index, mask.dtype)
    square_mask[rows.begin : rows.end, columns.begin : columns.end] = region
    return square_mask


def _nearest(axis: _AxisMapping, scale: float) -> NDArray[np.intp]:
    """Return the index of the mask pixel at the centre of each pixel of the square."""
    size = axis.end - axis.begin
    centres = axis.first + (np.arange(size) + 0.5) * ((axis.last - axis.first) / size)
    return (centres * scale).astype(np.intp)
