"""Duplicates and near-duplicates among images, by what they show.

The difference hash (Krawetz, "Kind of Like That", 2013) says for each cell of a grid whether it is
brighter than its neighbour. It stays nearly the same when an image is scaled or compressed again.
Two skies may have the same hash, so the brightness of the cells is compared too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.image_reading import RGB_CHANNELS

_GRID = 16
# Images that show the same differ in at most so many of the 256 bits, and on average by so much of
# the 256 steps of brightness. 200 images of ADE20K were scaled by 0.5 to 1 and compressed with a
# quality of 50 to 85: 95 % then differed from themselves in at most 31 bits, and all by less than
# 7 steps. Of two that show something else, the nearest differed in 76 bits.
NEAR_BITS, NEAR_BRIGHTNESS = 36, 12.0
# Images of nearly one colour have no differences to compare.
MIN_SPREAD = 4.0
_ROWS = 512


class Fingerprint(NamedTuple):
    """What an image shows, roughly.

    Attributes:
        bits: Difference hash of 256 bits, `(4,)` uint64.
        cells: Brightness of each cell of the grid, `(16, 17)` uint8.
    """

    bits: NDArray[np.uint64]
    cells: NDArray[np.uint8]


def fingerprint(pixels: NDArray[np.uint8]) -> Fingerprint:
    """Return the fingerprint of an image `(H, W, 3)`, or of the first of other bands."""
    factor = max(1, min(pixels.shape[:2]) // (4 * _GRID))
    # Every other row of a large image suffices for cells of many pixels.
    step = 2 if factor >= 4 else 1
    # Of RGB, green is most of the brightness, and a third of the values to be reduced.
    band = 1 if pixels.shape[2] == RGB_CHANNELS else 0
    grey = Image.fromarray(np.ascontiguousarray(pixels[::step, :, band]))
    grey = grey.reduce((factor, factor // step))
    cells = np.asarray(grey.resize((_GRID + 1, _GRID), Image.Resampling.BOX))
    return Fingerprint(np.packbits(cells[:, 1:] > cells[:, :-1]).view(np.uint64), cells)


def near_pairs(prints: Sequence[Fingerprint]) -> list[tuple[int, int]]:
    """Return the pairs of images that show the same, as pairs of indices, the smaller one first."""
    bits = np.stack([each.bits for each in prints])
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(bits), _ROWS):
        rows, others = bits[start : start + _ROWS], bits[start:]
        distance = np.zeros((len(rows), len(others)), np.int16)
        for word in range(bits.shape[1]):
            distance += np.bitwise_count(rows[:, None, word] ^ others[None, :, word])
        first, second = np.nonzero(distance <= NEAR_BITS)
        later = second > first
        pairs += zip((first[later] + start).tolist(), (second[later] + start).tolist(), strict=True)
    return [pair for pair in pairs if _difference(prints, *pair) <= NEAR_BRIGHTNESS]


def _difference(prints: Sequence[Fingerprint], first: int, second: int) -> float:
    """Return the mean difference in brightness of the cells of two images, in 0..255."""
    one, other = (prints[index].cells.astype(np.int16) for index in (first, second))
    return float(np.abs(one - other).mean())
