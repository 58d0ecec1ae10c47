"""Duplicates and near-duplicates among images, by a hash of what they show.

The difference hash (Krawetz, "Kind of Like That", 2013) says for each cell of a grid whether it is
brighter than its neighbour. It stays the same when an image is scaled or compressed again.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GRID = 16
# Images that show the same differ in at most so many of the 256 bits. 200 images of ADE20K were
# scaled by 0.5 to 1 and compressed with a quality of 50 to 85: 95 % then differed from themselves
# in at most 23 bits, and any two that show something else in at least 78.
NEAR = 32
# Images of nearly one colour have no differences to compare.
MIN_SPREAD = 4.0
_ROWS = 512


def difference_hash(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the difference hash of an image `(H, W, 3)`: 256 bits as `(4,)` uint64."""
    height, width = pixels.shape[:2]
    # Reducing in two steps is ten times as fast, and a cell is the mean of many pixels anyway.
    step = max(1, min(height, width) // (8 * _GRID))
    grey = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step])).convert("L")
    cells = np.asarray(grey.resize((_GRID + 1, _GRID), Image.Resampling.BOX), np.int16)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return bits.view(np.uint64)


def near_pairs(hashes: NDArray[np.uint64]) -> Sequence[tuple[int, int]]:
    """Return the pairs of images whose hashes differ in at most `NEAR` bits.

    Args:
        hashes: Hash of each image, `(N, 4)`.

    Returns:
        Pairs of indices, the smaller one first.
    """
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(hashes), _ROWS):
        rows = hashes[start : start + _ROWS]
        others = hashes[start:]
        distance = np.zeros((len(rows), len(others)), np.int16)
        for word in range(hashes.shape[1]):
            distance += np.bitwise_count(rows[:, None, word] ^ others[None, :, word])
        first, second = np.nonzero(distance <= NEAR)
        later = second > first
        pairs += zip((first[later] + start).tolist(), (second[later] + start).tolist(), strict=True)
    return pairs
