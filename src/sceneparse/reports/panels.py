"""One page of images: photo, ground truth and prediction side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from sceneparse.drawing import (
    INK,
    Entry,
    RgbImage,
    color_mask,
    entry_width,
    font,
    legend,
    printable,
)
from sceneparse.labels import Labels, Mask

WIDTH = 1280
MARGIN = 30
GAP = 16
LARGEST_HEIGHT = 340
TITLE_SIZE, HEAD_SIZE, LEGEND_SIZE, CAPTION_SIZE = 30, 20, 18, 15
MOST_CLASSES = 22  # with "unlabelled" and "+ n more", four rows of six
SMALLEST_SHARE = 0.002
LONGEST_NAME = 40
PHOTO_BITS = 6  # per colour: the lowest two cannot be seen, and are a third of the file
GREY = (120, 120, 120)
RULE = (222, 222, 222)
HEADS = ("photo", "ground truth", "prediction")


@dataclass(frozen=True)
class PanelRow:
    """An image with what it shows and what a model sees in it.

    Attributes:
        name: Name of the image.
        image: Photo `(H, W, 3)`.
        target: Train ids `(H, W)`.
        prediction: Train ids `(H, W)`.
    """

    name: str
    image: RgbImage
    target: Mask
    prediction: Mask


def prediction_panels(path: Path, rows: Sequence[PanelRow], labels: Labels, title: str) -> None:
    """Write a page with one row per image: photo, ground truth, prediction; beneath, a legend.

    The size of the page follows from the images and the labels alone, never from the
    predictions, so that the pages of different epochs make the frames of a animation.

    Args:
        path: PNG file to write.
        rows: Images of any sizes.
        labels: The classes of the masks.
        title: Headline.

    Raises:
        ValueError: If there are no images.
    """
    if not rows:
        raise ValueError("no images: give at least one row")
    parts = [_headline(title), *(_row(row, labels) for row in rows), _legend(rows, labels)]
    page = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height
    path.parent.mkdir(parents=True, exist_ok=True)
    # `optimize=True` takes four times as long for a file that is smaller by a 30th.
    page.save(path)


def _headline(title: str) -> Image.Image:
    """Draw the title, made smaller where it is long, and the heads of the columns."""
    strip = Image.new("RGB", (WIDTH, MARGIN + 2 * TITLE_SIZE + HEAD_SIZE), "white")
    draw = ImageDraw.Draw(strip)
    text, room = printable(title), WIDTH - 2 * MARGIN
    size = min(TITLE_SIZE, int(TITLE_SIZE * room / max(1, font(TITLE_SIZE).getlength(text))))
    draw.text((MARGIN, MARGIN), text, fill=INK, font=font(max(1, size)), anchor="lt")
    for left, head in zip(_lefts(), HEADS, strict=True):
        middle = left + _cell_width() // 2
        draw.text((middle, strip.height - 10), head, fill=GREY, font=font(HEAD_SIZE), anchor="ms")
    return strip


def _row(row: PanelRow, labels: Labels) -> Image.Image:
    """Draw one image three times, with its name and its pixel accuracy beneath."""
    size = _fitted(row.target.shape)
    strip = Image.new("RGB", (WIDTH, size[1] + 2 * CAPTION_SIZE + GAP), "white")
    draw = ImageDraw.Draw(strip)
    masks = [_resized_mask(mask, size, labels) for mask in (row.target, row.prediction)]
    images = (_resized_photo(row.image, size), *masks)
    captions = (_short(row.name), "", _accuracy(row, labels))
    for left, image, caption in zip(_lefts(), images, captions, strict=True):
        strip.paste(image, (left + (_cell_width() - size[0]) // 2, 0))
        place = (left + _cell_width() // 2, size[1] + CAPTION_SIZE)
        draw.text(place, printable(caption), fill=GREY, font=font(CAPTION_SIZE), anchor="mm")
    return strip


def _legend(rows: Sequence[PanelRow], labels: Labels) -> Image.Image:
    """Draw the legend at the top of a space that would hold the longest one."""
    room = WIDTH - MARGIN
    names = (_short(name) for name in labels.class_names)
    widest = max(names, key=lambda name: entry_width(name, LEGEND_SIZE))
    columns = max(1, min(6, (room - LEGEND_SIZE) // entry_width(widest, LEGEND_SIZE)))
    most = min(MOST_CLASSES, labels.num_classes)
    reserved = legend([(None, widest)] * (most + 2), room, LEGEND_SIZE, columns).shape[0]
    strip = Image.new("RGB", (WIDTH, reserved + GAP), "white")
    ImageDraw.Draw(strip).line((MARGIN, 0, WIDTH - MARGIN, 0), fill=RULE)
    drawn = legend(_entries(rows, labels, most), room, LEGEND_SIZE, columns)
    strip.paste(Image.fromarray(drawn), (MARGIN - LEGEND_SIZE, GAP))
    return strip


def _entries(rows: Sequence[PanelRow], labels: Labels, most: int) -> list[Entry]:
    """Name at most so many classes, then "unlabelled", then how many classes are left out.

    The classes of the ground truth come first, in an order that no prediction can change: a legend
    whose entries jump from frame to frame cannot be read.
    """
    target = _mean_shares([row.target for row in rows], labels)
    predicted = _mean_shares([row.prediction for row in rows], labels)
    *classes, void = np.maximum(target, predicted).tolist()
    frequent = sorted(range(len(classes)), key=lambda i: -classes[i])[:most]
    shown = [i for i in frequent if classes[i] >= SMALLEST_SHARE]
    shown.sort(key=lambda i: (target[i] < SMALLEST_SHARE, -target[i]))
    entries: list[Entry] = [(labels.colors[i], _short(labels.class_names[i])) for i in shown]
    if void > 0:
        entries.append(((0, 0, 0), "unlabelled"))
    left_out = np.count_nonzero(classes) - len(shown)
    if left_out:
        entries.append((None, f"+ {left_out} more"))
    return entries


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _mean_shares(masks: Sequence[Mask], labels: Labels) -> NDArray[np.float64]:
    """Average over masks the share of each class, and as the last one that of void."""
    shares = np.zeros(labels.num_classes + 1)
    for mask in masks:
        counts = np.bincount(mask.ravel(), minlength=labels.ignore_index + 1)
        shares[:-1] += counts[: labels.num_classes] / mask.size / len(masks)
        shares[-1] += counts[labels.ignore_index] / mask.size / len(masks)
    return shares


def _accuracy(row: PanelRow, labels: Labels) -> str:
    labelled = row.target != labels.ignore_index
    if not labelled.any():
        return ""
    return f"{np.mean((row.target == row.prediction)[labelled]):.0%} of pixels right"


def _fitted(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the width and height of an image `(H, W)` that fills its cell."""
    height, width = shape[:2]
    factor = min(_cell_width() / width, LARGEST_HEIGHT / height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _resized_photo(image: RgbImage, size: tuple[int, int]) -> Image.Image:
    photo = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    return ImageOps.posterize(photo, PHOTO_BITS)


def _resized_mask(mask: Mask, size: tuple[int, int], labels: Labels) -> Image.Image:
    """Paint a mask; enlarged, its pixels stay square, as a blend might be another class."""
    enlarged = size[0] > mask.shape[1]
    method = Image.Resampling.NEAREST if enlarged else Image.Resampling.HAMMING
    return Image.fromarray(color_mask(mask, labels)).resize(size, method)


def _cell_width() -> int:
    return (WIDTH - 2 * MARGIN - 2 * GAP) // 3


def _lefts() -> tuple[int, ...]:
    return tuple(MARGIN + column * (_cell_width() + GAP) for column in range(3))
