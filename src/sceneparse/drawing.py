"""Masks as images: class colours, overlay, and a legend of what is in sight."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sceneparse.labels import Color, Labels, Mask

RgbImage = NDArray[np.uint8]
Entry = tuple[Color | None, str]

INK = (38, 38, 38)
SWATCH_EDGE = (150, 150, 150)
BORDER = (255, 255, 255)
SMALLEST_FONT = 11
SMALLEST_BORDERED = 128


def color_mask(mask: Mask, labels: Labels) -> RgbImage:
    """Paint each class in its colour, and `ignore_index` black.

    Args:
        mask: Train ids `(H, W)`.
        labels: The classes of the mask.

    Returns:
        Image `(H, W, 3)`.
    """
    table = np.zeros((labels.ignore_index + 1, 3), dtype=np.uint8)
    table[: labels.num_classes] = labels.palette
    return table[mask]


def overlay(image: RgbImage, mask: Mask, labels: Labels, opacity: float = 0.5) -> RgbImage:
    """Lay the class colours over a photo, with thin white borders between classes.

    Args:
        image: Photo `(H, W, 3)`.
        mask: Train ids `(H, W)`; the photo stays as it is where they are `ignore_index`.
        labels: The classes of the mask.
        opacity: How much the colours cover the photo, in 0..1.

    Returns:
        Image `(H, W, 3)`.
    """
    colors = Image.fromarray(color_mask(mask, labels))
    blended = np.array(Image.blend(Image.fromarray(image), colors, opacity))
    blended[_borders(mask, _border_width(mask))] = BORDER
    void = mask == labels.ignore_index
    blended[void] = image[void]
    return blended


def with_legend(image: RgbImage, mask: Mask, labels: Labels, max_entries: int = 12) -> RgbImage:
    """Put a legend of the classes in a mask, with their shares of the pixels, beneath an image.

    The image keeps its pixels and its place at the top left. Where it is narrower than one
    readable legend entry, white is added to its right.

    Args:
        image: What is shown above, `(H, W, 3)`.
        mask: Train ids `(H, W)`.
        labels: The classes of the mask.
        max_entries: The largest classes to name; of the others only the number is told.

    Returns:
        Image `(H + legend, W or wider, 3)`.
    """
    height, width = image.shape[:2]
    font_size = max(SMALLEST_FONT, round(_scale(mask) / 34))
    beneath = legend(entries_by_share(mask, labels, max_entries), width, font_size)
    canvas = np.full((height + beneath.shape[0], beneath.shape[1], 3), 255, dtype=np.uint8)
    canvas[:height, :width] = image
    canvas[height:] = beneath
    return canvas


def legend(
    entries: Sequence[Entry], width: int, font_size: int = 14, columns: int | None = None
) -> RgbImage:
    """Draw swatches with texts in rows, on white.

    No text is ever cut off: where an entry does not fit, the font shrinks, though not below what
    can be read, and then the legend becomes wider than was asked.

    Args:
        entries: Colours with texts; an entry without colour is text alone.
        width: Width in pixels.
        font_size: Height of the font in pixels.
        columns: Entries per row; as many as fit, if not given.

    Returns:
        Image `(h, width or wider, 3)`, of height 0 if there are no entries.
    """
    if not entries:
        return np.full((0, width, 3), 255, dtype=np.uint8)
    texts = [text for _, text in entries]
    font_size = _fitting_size(texts, width, font_size, columns or 1)
    fitting = (width - font_size) // max(entry_width(text, font_size) for text in texts)
    columns = columns or _columns(len(entries), fitting)
    width = max(width, _row_width(texts, font_size, columns))
    cell, row = (width - font_size) // columns, round(1.7 * font_size)
    canvas = Image.new("RGB", (width, row * ceil(len(entries) / columns) + font_size), "white")
    draw = ImageDraw.Draw(canvas)
    for index, entry in enumerate(entries):
        place = (
            font_size + index % columns * cell,
            index // columns * row + (row + font_size) // 2,
        )
        _draw_entry(draw, entry, place, font_size)
    return np.asarray(canvas)


def entries_by_share(mask: Mask, labels: Labels, max_entries: int) -> list[Entry]:
    """Name the classes of a mask, the largest first, with their shares of all pixels.

    Args:
        mask: Train ids `(H, W)`.
        labels: The classes of the mask.
        max_entries: The largest classes to name; of the others only the number is told.
    """
    counts = np.bincount(mask.ravel(), minlength=labels.num_classes)[: labels.num_classes]
    present = np.count_nonzero(counts)
    largest = np.argsort(-counts, kind="stable")[: min(present, max_entries)]
    entries: list[Entry] = [
        (labels.colors[i], f"{labels.class_names[i]} {percent(int(counts[i]) / mask.size)}")
        for i in largest
    ]
    if present > len(entries):
        entries.append((None, f"+ {present - len(entries)} more"))
    return entries


def entry_width(text: str, font_size: int) -> int:
    """Measure a legend entry, with the gap to the next one, in pixels."""
    return ceil(3 * font_size + font(font_size).getlength(printable(text)))


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings along, so that no file has to be found."""
    return ImageFont.load_default(size)


def printable(text: str) -> str:
    """Put a text into the characters of `font`: accents are dropped, what is unknown is `?`."""
    plain = unicodedata.normalize("NFKD", text)
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" or letter == "·" else "?" for letter in letters)


def _draw_entry(
    draw: ImageDraw.ImageDraw, entry: Entry, place: tuple[int, int], font_size: int
) -> None:
    """Draw a swatch and its text; the place is its left end, at half height."""
    color, text = entry
    left, middle = place
    if color is not None:
        top = middle - font_size // 2
        box = (left, top, left + font_size, top + font_size)
        draw.rectangle(box, fill=color, outline=SWATCH_EDGE, width=max(1, font_size // 16))
        left += round(1.5 * font_size)
    draw.text((left, middle), printable(text), fill=INK, font=font(font_size), anchor="lm")


def _fitting_size(texts: Sequence[str], width: int, font_size: int, columns: int) -> int:
    """Shrink a font until the widest of the entries fits so many times into a row."""
    while font_size > SMALLEST_FONT and _row_width(texts, font_size, columns) > width:
        font_size -= 1
    return font_size


def _row_width(texts: Sequence[str], font_size: int, columns: int) -> int:
    return columns * max(entry_width(text, font_size) for text in texts) + font_size


def _columns(count: int, fitting: int) -> int:
    """Share entries out evenly: five where four fit become rows of 3 and 2, not of 4 and 1."""
    rows = ceil(count / max(1, fitting))
    return ceil(count / rows)


def percent(share: float) -> str:
    """Write a share in 0..1 as whole percent, or `<1%`."""
    return "<1%" if share < 0.01 else f"{share:.0%}"


def _border_width(mask: Mask) -> int:
    """Choose one pixel up to a megapixel and more above, but none where it would cover much."""
    return max(1, round(_scale(mask) / 700)) if _scale(mask) >= SMALLEST_BORDERED else 0


def _borders(mask: Mask, width: int) -> NDArray[np.bool_]:
    """Mark the pixels `(H, W)` that have another class within `width` to the left or above."""
    border = np.zeros(mask.shape, dtype=bool)
    for shift in range(1, width + 1):
        border[:, shift:] |= mask[:, shift:] != mask[:, :-shift]
        border[shift:] |= mask[shift:] != mask[:-shift]
    return border


def _scale(mask: Mask) -> float:
    """Return the side of a square with as many pixels, which tells how large to draw."""
    return sqrt(mask.size)
