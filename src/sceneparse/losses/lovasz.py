"""Lovász-softmax: a convex stand-in for 1 less the mean IoU (Berman et al., 2018)."""

from functools import partial

import torch
from torch import Tensor

from sceneparse.losses.batch import Batch
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.pixels import PixelLoss, Pixels, TileGradient
from sceneparse.losses.planes import add_plane_gradient, probability_plane
from sceneparse.ops.precision import sum_dtype


def jaccard_steps(is_true: Tensor) -> Tensor:
    """Return by how much each further pixel that is wrong raises 1 less the IoU of a class.

    Berman et al., 2018, algorithm 1, without its differences of nearly equal numbers.

    Args:
        is_true: Whether each pixel is of the class `(N,)`, those with the largest errors first;
            one of them is, and those after the last that is may be left out.
    """
    found = is_true.cumsum(0)
    whole = found[-1]
    others = torch.arange(1, len(found) + 1, device=found.device) - found
    union = (whole + others).to(sum_dtype(found.device))
    # One that is true leaves the overlap; another one joins the union.
    of_true, of_others = 1 / union, (whole - found) / (union * (union - 1).clamp(min=1))
    return torch.where(is_true, of_true, of_others)


def lovasz(errors: Tensor, is_true: Tensor) -> Tensor:
    """Compute the Lovász extension of 1 less the IoU of a class (equation 9).

    Args:
        errors: How far the probability of the class is from the ground truth, `(N,)`.
        is_true: Whether each pixel is of the class `(N,)`; one of them is.
    """
    ordered, order = errors.sort(descending=True)
    return (ordered * jaccard_steps(is_true[order]).to(errors.dtype)).sum()


class LovaszSoftmax(SegmentationLoss):
    """The mean over the classes in the ground truth of a batch, times its valid pixels.

    Beside the two passes over all tiles, each class in the ground truth takes a pass over one plane
    of the size of the batch: its probabilities, their order, and the gradient. Only pixels are put
    in order whose errors are not below that of the best pixel of the class: behind it all pixels of
    the class are lost, and no further mistake makes the IoU worse. About 40 bytes for each pixel
    are held, however many classes there are.
    """

    def plain(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute it as it is defined."""
        valid = target != self.ignore_index
        probabilities = logits.softmax(dim=1).movedim(1, -1)[valid]
        classes = target[valid].long()
        total = logits.sum() * 0
        present = classes.unique()
        for label in present:
            is_true = classes == label
            total = total + lovasz((is_true.float() - probabilities[:, label]).abs(), is_true)
        return total * len(classes) / max(1, len(present))

    def of_batch(self, batch: Batch) -> PixelLoss:
        """Do what concerns single classes; what all have in common is left for the tiles."""
        survey, target = batch.survey, batch.target
        present = target[survey.valid].unique().tolist()
        scale = survey.pixels / max(1, len(present))
        mean = torch.zeros_like(survey.norms)
        value = torch.zeros((), dtype=sum_dtype(target.device), device=target.device)
        for label in present:
            is_true = target == label
            # The tiles take off nearly the same where a pixel is right: only what is computed as
            # they compute it leaves the small difference as it is.
            plane = torch.where(is_true, survey.confidence, probability_plane(batch, label))
            one, slope = _of_plane(plane, is_true, survey.valid)
            value += one / len(present)
            pulled = plane.mul_(slope.mul_(scale))
            mean += pulled
            add_plane_gradient(batch, label, pulled * self.weight)
        return partial(_of_tile, value, mean)


def _of_plane(probability: Tensor, is_true: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of a class and its slope with respect to the probability, `(B, H, W)`."""
    errors = torch.where(is_true, 1 - probability, probability)
    chosen = (errors >= errors[is_true].min()) & valid
    ordered, order = errors[chosen].sort(descending=True)
    own = is_true[chosen]
    steps = jaccard_steps(own[order])
    slopes = torch.empty_like(ordered)
    slopes[order] = steps.float()
    slopes = torch.where(own, -slopes, slopes)
    value = (ordered * steps).sum(dtype=sum_dtype(errors.device))
    return value, torch.zeros_like(probability).masked_scatter_(chosen, slopes)


def _of_tile(value: Tensor, mean: Tensor, pixels: Pixels) -> TileGradient:
    """Take off the mean of the slopes, which the softmax asks for at all classes alike."""
    total = value * pixels.valid.sum()
    return TileGradient(total, -mean[pixels.place], torch.zeros_like(pixels.norm))
