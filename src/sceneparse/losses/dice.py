"""Dice losses: twice the overlap by the sum of both regions."""

import torch
from torch import Tensor

from sceneparse.losses.survey import Sums


def dice(sums: Sums) -> Tensor:
    """Compute 1 less the mean Dice coefficient of the classes that occur in the ground truth.

    Milletari et al., 2016, equation 1, for several classes, with sums of probabilities instead of
    their squares. A class that does not occur has no region to be found.
    """
    overlap, predicted, true = (values[sums.present] for values in sums)
    return (1 - 2 * overlap / (predicted + true)).sum() / max(1, len(true))


def generalised_dice(sums: Sums) -> Tensor:
    """Compute 1 less the Dice coefficient of all classes together.

    Sudre et al., 2017, section 2.1: each class counts by 1 over the square of its pixels, so that
    small regions count as large ones.
    """
    overlap, predicted, true = (values[sums.present] for values in sums)
    weights = true**-2
    both = (weights * (predicted + true)).sum().clamp(min=torch.finfo(true.dtype).tiny)
    return 1 - 2 * (weights * overlap).sum() / both
