"""Values on a feature map: probabilities of logits and back, and resampling to another one."""

import numpy as np
from numpy.typing import NDArray

from sceneparse.ops.interpolation import positions


def resampled(
    values: NDArray[np.float32],
    covered: tuple[float, float],
    size: tuple[int, int],
    new_covered: tuple[float, float],
    *,
    flipped: bool = False,
) -> NDArray[np.float32]:
    """Resample values `(K, h, w)` bilinearly to another feature map of the same image.

    Args:
        values: On the old feature map.
        covered: Rows and columns of it that the image covers.
        size: Height and width of the new feature map.
        new_covered: Rows and columns of it that the image covers.
        flipped: Whether the old one is of the image with left and right exchanged.
    """
    if not flipped and values.shape[1:] == size and covered == new_covered:
        return values
    _, height, width = values.shape
    rows = positions(size[0], new_covered[0], height, covered[0])
    columns = positions(size[1], new_covered[1], width, covered[1], flipped=flipped)
    wide = np.matmul(rows.weights(height), values)
    return np.matmul(wide, columns.weights(width).T, dtype=np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn logits `(K, h, w)` into probabilities that sum to 1 over the first axis."""
    values = logits - logits.max(axis=0)
    np.exp(values, out=values)
    values /= values.sum(axis=0)
    return values


def log_probabilities(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn probabilities into logits; those of probability 0 stay finite."""
    values = probabilities.clip(min=np.finfo(np.float32).tiny)
    return np.log(values, out=values)
