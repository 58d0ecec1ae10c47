"""A page of predictions: image, ground truth and prediction side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from sceneparse.artifacts.writing import atomic_write
from sceneparse.drawing import (
    INK,
    LegendEntry,
    RgbImage,
    color_mask,
    displayed_rgb,
    entry_width,
    font,
    legend,
    printable,
    readable_name,
)
from sceneparse.labels import Labels, Mask

WIDTH = 1280
MARGIN = 30
GAP = 16
MAX_HEIGHT = 340
TITLE_SIZE, HEADING_SIZE, LEGEND_SIZE, CAPTION_SIZE = 30, 20, 18, 15
MAX_CLASSES = 22  # with "unlabelled" and "+ n more", four rows of six
MIN_SHARE = 0.002
MAX_NAME_LENGTH = 40
IMAGE_BITS = 6  # per channel: the lowest two are invisible, but a third of the file
GREY = (120, 120, 120)
RULE = (222, 222, 222)
HEADINGS = ("image", "ground truth", "prediction")


@dataclass(frozen=True)
class PanelRow:
    """An image with its ground truth and its prediction.

    Attributes:
        name: Name of the image.
        image: Image `(H, W, B)`, shown as `drawing.displayed_rgb` says.
        target: Train ids `(H, W)` of the ground truth.
        prediction: Train ids `(H, W)` of the prediction.
    """

    name: str
    image: NDArray[np.uint8]
    target: Mask
    prediction: Mask


def prediction_panels(path: Path, rows: Sequence[PanelRow], labels: Labels, title: str) -> None:
    """Write a page with a row for each image, and a legend beneath them.

    The size of the page depends on images and labels, but not on predictions, so that the pages of
    different epochs can be frames of an animation.

    Args:
        path: PNG file to write.
        rows: Images of any sizes.
        labels: The classes of the masks.
        title: Title of the page.

    Raises:
        ValueError: If there are no images.
    """
    if not rows:
        raise ValueError("no images: give at least one row")
    parts = [
        _title_strip(title),
        *(_row_strip(row, labels) for row in rows),
        _legend_strip(rows, labels),
    ]
    page = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height
    with atomic_write(path) as temporary:
        # `optimize=True` takes four times as long and makes the file 3 % smaller.
        page.save(temporary, "PNG")


def _title_strip(title: str) -> Image.Image:
    """Draw the title, with a smaller font if it is long, and the headings of the columns."""
    strip = Image.new("RGB", (WIDTH, MARGIN + 2 * TITLE_SIZE + HEADING_SIZE), "white")
    draw = ImageDraw.Draw(strip)
    text, max_width = printable(title), WIDTH - 2 * MARGIN
    size = min(TITLE_SIZE, int(TITLE_SIZE * max_width / max(1, font(TITLE_SIZE).getlength(text))))
    draw.text((MARGIN, MARGIN), text, fill=INK, font=font(max(1, size)), anchor="lt")
    for left, heading in zip(_column_lefts(), HEADINGS, strict=True):
        middle = left + _column_width() // 2
        draw.text(
            (middle, strip.height - 10), heading, fill=GREY, font=font(HEADING_SIZE), anchor="ms"
        )
    return strip


def _row_strip(row: PanelRow, labels: Labels) -> Image.Image:
    """Draw image, ground truth and prediction, with name and pixel accuracy beneath."""
    size = _fitted_size(row.target.shape)
    strip = Image.new("RGB", (WIDTH, size[1] + 2 * CAPTION_SIZE + GAP), "white")
    draw = ImageDraw.Draw(strip)
    masks = [_resized_mask(mask, size, labels) for mask in (row.target, row.prediction)]
    images = (_resized_image(displayed_rgb(row.image), size), *masks)
    captions = (_shortened(row.name), "", _accuracy(row, labels))
    for left, image, caption in zip(_column_lefts(), images, captions, strict=True):
        strip.paste(image, (left + (_column_width() - size[0]) // 2, 0))
        center = (left + _column_width() // 2, size[1] + CAPTION_SIZE)
        draw.text(center, printable(caption), fill=GREY, font=font(CAPTION_SIZE), anchor="mm")
    return strip


def _legend_strip(rows: Sequence[PanelRow], labels: Labels) -> Image.Image:
    """Draw the legend at the top of a strip that has room for the largest legend."""
    legend_width = WIDTH - MARGIN
    names = (_legend_name(labels, index) for index in range(labels.num_classes))
    widest = max(names, key=lambda name: entry_width(name, LEGEND_SIZE))
    columns = max(1, min(6, (legend_width - LEGEND_SIZE) // entry_width(widest, LEGEND_SIZE)))
    max_classes = min(MAX_CLASSES, labels.num_classes)
    reserved = legend(
        [(None, widest)] * (max_classes + 2), legend_width, LEGEND_SIZE, columns
    ).shape[0]
    strip = Image.new("RGB", (WIDTH, reserved + GAP), "white")
    ImageDraw.Draw(strip).line((MARGIN, 0, WIDTH - MARGIN, 0), fill=RULE)
    drawn = legend(_entries(rows, labels, max_classes), legend_width, LEGEND_SIZE, columns)
    strip.paste(Image.fromarray(drawn), (MARGIN - LEGEND_SIZE, GAP))
    return strip


def _entries(rows: Sequence[PanelRow], labels: Labels, max_classes: int) -> list[LegendEntry]:
    """List at most `max_classes` classes, "unlabelled", and the number of classes left out.

    The classes of the ground truth come first, in an order that does not depend on predictions, so
    that entries do not jump from frame to frame of an animation.
    """
    target = _mean_shares([row.target for row in rows], labels)
    predicted = _mean_shares([row.prediction for row in rows], labels)
    *classes, void = np.maximum(target, predicted).tolist()
    frequent = sorted(range(len(classes)), key=lambda i: -classes[i])[:max_classes]
    shown = [i for i in frequent if classes[i] >= MIN_SHARE]
    shown.sort(key=lambda i: (target[i] < MIN_SHARE, -target[i]))
    entries: list[LegendEntry] = [(labels.colors[i], _legend_name(labels, i)) for i in shown]
    if void > 0:
        entries.append(((0, 0, 0), "unlabelled"))
    num_left_out = np.count_nonzero(classes) - len(shown)
    if num_left_out:
        entries.append((None, f"+ {num_left_out} more"))
    return entries


def _legend_name(labels: Labels, index: int) -> str:
    return _shortened(readable_name(labels.class_names[index], labels.raw_ids[index]))


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _mean_shares(masks: Sequence[Mask], labels: Labels) -> NDArray[np.float64]:
    """Average the share of each class over masks; the last element is the share of void."""
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


def _fitted_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the width and height at which an image `(H, W)` fills its column."""
    height, width = shape[:2]
    factor = min(_column_width() / width, MAX_HEIGHT / height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _resized_image(image: RgbImage, size: tuple[int, int]) -> Image.Image:
    resized = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    return ImageOps.posterize(resized, IMAGE_BITS)


def _resized_mask(mask: Mask, size: tuple[int, int], labels: Labels) -> Image.Image:
    """Resize the colours of a mask; not blended if enlarged, as a blend can be another class."""
    enlarged = size[0] > mask.shape[1]
    method = Image.Resampling.NEAREST if enlarged else Image.Resampling.HAMMING
    return Image.fromarray(color_mask(mask, labels)).resize(size, method)


def _column_width() -> int:
    return (WIDTH - 2 * MARGIN - 2 * GAP) // 3


def _column_lefts() -> tuple[int, ...]:
    return tuple(MARGIN + column * (_column_width() + GAP) for column in range(3))
