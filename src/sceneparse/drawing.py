"""Drawings of masks: class colours, overlay and legend."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sceneparse.labels import Color, Labels, Mask

RgbImage = NDArray[np.uint8]
# The colour of a swatch, or none, and the text beside it.
LegendEntry = tuple[Color | None, str]

RGB_CHANNELS = 3
INK = (38, 38, 38)
SWATCH_EDGE = (150, 150, 150)
BORDER = (255, 255, 255)
MIN_FONT_SIZE = 11
MIN_BORDERED_SIDE = 128
_COUNTED_AT_ONCE = 2**20


def displayed_rgb(image: NDArray[np.uint8]) -> RgbImage:
    """Return how an image of any bands is shown.

    Three bands are shown as red, green and blue, one or two as grey from the first, and of four or
    more the first three.

    Args:
        image: `(H, W, B)`.

    Returns:
        RGB image `(H, W, 3)`; three bands are not copied.
    """
    bands = image.shape[2]
    if bands == RGB_CHANNELS:
        return image
    shown = image[..., :RGB_CHANNELS] if bands > RGB_CHANNELS else image[..., [0, 0, 0]]
    return np.ascontiguousarray(shown)


def color_mask(mask: Mask, labels: Labels) -> RgbImage:
    """Colour each class with its palette colour, and void black.

    Args:
        mask: Train ids `(H, W)`.
        labels: The classes of the mask.

    Returns:
        Image `(H, W, 3)`.
    """
    table = np.zeros((labels.ignore_index + 1, 3), dtype=np.uint8)
    table[: labels.num_classes] = labels.palette
    return table[mask]


def overlay(image: NDArray[np.uint8], mask: Mask, labels: Labels, opacity: float = 0.5) -> RgbImage:
    """Blend class colours into an image, with thin white borders between classes.

    Args:
        image: Image `(H, W, B)`, shown as `displayed_rgb` says.
        mask: Train ids `(H, W)`; void pixels of the image do not change.
        labels: The classes of the mask.
        opacity: Share of the class colours in the blend, in 0..1.

    Returns:
        Image `(H, W, 3)`.
    """
    image = displayed_rgb(image)
    colors = Image.fromarray(color_mask(mask, labels))
    blended = np.array(Image.blend(Image.fromarray(image), colors, opacity))
    blended[_borders(mask, _border_width(mask))] = BORDER
    void = mask == labels.ignore_index
    blended[void] = image[void]
    return blended


def with_legend(image: RgbImage, mask: Mask, labels: Labels, max_entries: int = 12) -> RgbImage:
    """Add a legend of the classes in a mask, with their shares of the pixels, below an image.

    The image stays at the top left, unchanged. If it is narrower than a readable legend entry,
    white is added at its right.

    Args:
        image: RGB image `(H, W, 3)`.
        mask: Train ids `(H, W)`.
        labels: The classes of the mask.
        max_entries: Number of classes to list, the largest first; the rest are only counted.

    Returns:
        Image `(H', W', 3)` with H' >= H and W' >= W.
    """
    height, width = image.shape[:2]
    font_size = max(MIN_FONT_SIZE, round(_scale(mask) / 34))
    legend_image = legend(entries_by_share(mask, labels, max_entries), width, font_size)
    canvas = np.full(
        (height + legend_image.shape[0], legend_image.shape[1], 3), 255, dtype=np.uint8
    )
    canvas[:height, :width] = image
    canvas[height:] = legend_image
    return canvas


def legend(
    entries: Sequence[LegendEntry], width: int, font_size: int = 14, columns: int | None = None
) -> RgbImage:
    """Draw rows of colour swatches with texts, on white.

    No text is cut off. If an entry does not fit, the font shrinks to a readable minimum; if it
    still does not fit, the legend becomes wider than `width`.

    Args:
        entries: Colours with texts; an entry without a colour has no swatch.
        width: Width in pixels.
        font_size: Height of the font in pixels.
        columns: Entries per row; none for as many as fit.

    Returns:
        Image `(h, w, 3)` with w >= width; its height is 0 if there are no entries.
    """
    if not entries:
        return np.full((0, width, 3), 255, dtype=np.uint8)
    texts = [text for _, text in entries]
    font_size = _fitting_font_size(texts, width, font_size, columns or 1)
    max_columns = (width - font_size) // max(entry_width(text, font_size) for text in texts)
    columns = columns or _balanced_columns(len(entries), max_columns)
    width = max(width, _row_width(texts, font_size, columns))
    column_width, row_height = (width - font_size) // columns, round(1.7 * font_size)
    canvas = Image.new(
        "RGB", (width, row_height * ceil(len(entries) / columns) + font_size), "white"
    )
    draw = ImageDraw.Draw(canvas)
    for index, entry in enumerate(entries):
        position = (
            font_size + index % columns * column_width,
            index // columns * row_height + (row_height + font_size) // 2,
        )
        _draw_entry(draw, entry, position, font_size)
    return np.asarray(canvas)


def entries_by_share(
    mask: Mask, labels: Labels, max_entries: int, *, for_fonts: bool = True
) -> list[LegendEntry]:
    """List the classes of a mask, the largest first, with their shares of all pixels.

    Args:
        mask: Train ids `(H, W)`.
        labels: The classes of the mask.
        max_entries: Number of classes to list, the largest first; the rest are only counted.
        for_fonts: Whether to show the id of a class whose name the font cannot show.
    """
    counts = class_counts(mask, labels)
    present = np.count_nonzero(counts)
    largest = np.argsort(-counts, kind="stable")[: min(present, max_entries)]
    names = [
        readable_name(labels.class_names[i], labels.raw_ids[i])
        if for_fonts
        else labels.class_names[i]
        for i in largest
    ]
    entries: list[LegendEntry] = [
        (labels.colors[i], f"{name} {percent(int(counts[i]) / mask.size)}")
        for i, name in zip(largest, names, strict=True)
    ]
    if present > len(entries):
        entries.append((None, f"+ {present - len(entries)} more"))
    return entries


def class_counts(
    mask: Mask, labels: Labels, weights: NDArray[np.float32] | None = None
) -> NDArray[Any]:
    """Count the pixels of each class, or sum their weights, `(C,)`.

    Args:
        mask: Train ids `(H, W)`; void is not counted.
        labels: The classes of the mask.
        weights: A number for each pixel, `(H, W)`.
    """
    total = np.zeros(labels.num_classes, np.int64 if weights is None else np.float64)
    # NumPy converts its input to 64 bits.
    rows = max(1, _COUNTED_AT_ONCE // mask.shape[1])
    for start in range(0, mask.shape[0], rows):
        part = slice(start, start + rows)
        own = None if weights is None else weights[part].ravel()
        counts = np.bincount(mask[part].ravel(), own, minlength=labels.num_classes)
        total += counts[: labels.num_classes]
    return total


def entry_width(text: str, font_size: int) -> int:
    """Return the width of a legend entry in pixels, with the gap to the next one."""
    return ceil(3 * font_size + font(font_size).getlength(printable(text)))


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that is part of Pillow, which needs no font file."""
    return ImageFont.load_default(size)


def readable_name(name: str, raw_id: int) -> str:
    """Return the name of a class, or its id if `font` cannot show the name."""
    return f"id {raw_id}" if printable(name).count("?") > name.count("?") else name


def printable(text: str) -> str:
    """Replace the characters that `font` lacks: drop accents, and write `?` for others."""
    plain = unicodedata.normalize("NFKD", text)
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" or letter == "·" else "?" for letter in letters)


def _draw_entry(
    draw: ImageDraw.ImageDraw, entry: LegendEntry, position: tuple[int, int], font_size: int
) -> None:
    """Draw a swatch and its text; `position` is the left end at half height."""
    color, text = entry
    left, middle = position
    if color is not None:
        top = middle - font_size // 2
        box = (left, top, left + font_size, top + font_size)
        draw.rectangle(box, fill=color, outline=SWATCH_EDGE, width=max(1, font_size // 16))
        left += round(1.5 * font_size)
    draw.text((left, middle), printable(text), fill=INK, font=font(font_size), anchor="lm")


def _fitting_font_size(texts: Sequence[str], width: int, font_size: int, columns: int) -> int:
    """Shrink a font until a row has room for the widest entry in each of its columns."""
    while font_size > MIN_FONT_SIZE and _row_width(texts, font_size, columns) > width:
        font_size -= 1
    return font_size


def _row_width(texts: Sequence[str], font_size: int, columns: int) -> int:
    return columns * max(entry_width(text, font_size) for text in texts) + font_size


def _balanced_columns(count: int, max_columns: int) -> int:
    """Balance the rows: five entries in at most four columns make rows of 3 and 2."""
    rows = ceil(count / max(1, max_columns))
    return ceil(count / rows)


def percent(share: float) -> str:
    """Write a share in 0..1 as whole percent, or `<1%`."""
    return "<1%" if share < 0.01 else f"{share:.0%}"


def _border_width(mask: Mask) -> int:
    """Return the border width: 1 up to a megapixel, more above, 0 for tiny masks."""
    return max(1, round(_scale(mask) / 700)) if _scale(mask) >= MIN_BORDERED_SIDE else 0


def _borders(mask: Mask, width: int) -> NDArray[np.bool_]:
    """Mark the pixels `(H, W)` that have another class within `width` pixels left or above."""
    border = np.zeros(mask.shape, dtype=bool)
    for shift in range(1, width + 1):
        border[:, shift:] |= mask[:, shift:] != mask[:, :-shift]
        border[shift:] |= mask[shift:] != mask[:-shift]
    return border


def _scale(mask: Mask) -> float:
    """Return the side of a square with as many pixels, to which sizes are proportional."""
    return sqrt(mask.size)
