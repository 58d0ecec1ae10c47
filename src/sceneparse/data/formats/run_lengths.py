"""Run lengths: pixels outside and inside of an area in turns, the first one outside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from sceneparse.errors import InputError


def pixels_of_runs(
    counts: Sequence[int] | NDArray[np.int64], height: int, width: int
) -> NDArray[np.bool_]:
    """Return the pixels `(height, width)` of run lengths row by row, the first one outside.

    Raises:
        InputError: If the lengths do not cover the image exactly.
    """
    try:
        runs = np.array(counts, np.int64)
    except OverflowError:
        runs = np.array([-1])
    # The sum of many large numbers may overflow.
    is_valid = not len(runs) or (runs.min() >= 0 and runs.max() <= height * width)
    if not is_valid or int(runs.sum()) != height * width:
        found = f"of {runs.sum()} pixels" if is_valid else "below 0, or longer than the image"
        raise InputError(
            f"run lengths {found}, expected {height * width} pixels (width × height); "
            "export the annotations again"
        )
    inside = (np.arange(len(runs)) % 2).astype(np.bool_)
    return np.repeat(inside, runs).reshape(height, width)


def runs_of_pixels(pixels: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of pixels `(H, W)` row by row, the first one outside."""
    flat = pixels.ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def decompressed(text: str) -> tuple[int, ...]:
    """Return the run lengths that COCO's compressed form holds.

    pycocotools decodes them too, but leaves memory as it was where they are too few, and warns with
    NumPy 2.

    Raises:
        InputError: If it is not of that form.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise InputError("run lengths in an unknown form; export the annotations again")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        # From the fourth number on, differences to the last but one are stored.
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return tuple(counts)


def compressed(pixels: NDArray[np.bool_], at: tuple[int, int], size: tuple[int, int]) -> str:
    """Return the run lengths of an area, column by column, in COCO's compressed form.

    Args:
        pixels: The pixels `(h, w)` of a window of the image, outside of which nothing belongs to
            the area.
        at: Row and column of the first pixel of the window in the image.
        size: Height and width of the image.
    """
    (top, left), (height, width) = at, size
    columns = np.zeros((pixels.shape[1], height), np.bool_)
    columns[:, top : top + pixels.shape[0]] = pixels.T
    counts = runs_of_pixels(columns)
    counts[0] += left * height
    right = (width - left - pixels.shape[1]) * height
    if len(counts) % 2:
        counts[-1] += right
    elif right:
        counts.append(right)
    # The stubs of pycocotools know neither this argument nor that text is returned as bytes.
    runs: Any = {"size": list(size), "counts": counts}
    encoded: Any = coco_masks.frPyObjects(runs, *size)
    return encoded["counts"].decode()
