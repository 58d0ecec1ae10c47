"""Lovász-softmax loss: a convex surrogate of 1 - mIoU (Berman et al., 2018)."""

from functools import partial

import torch
from torch import Tensor

from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.tile_gradient import TileGradient, TileLoss, TileSoftmax
from sceneparse.losses.tiled_batch import TiledBatch
from sceneparse.ops.precision import sum_dtype
from sceneparse.ops.upsampling import BITS_PER_NAT, interpolation_matrix, upsample


def jaccard_gradient(is_true: Tensor) -> Tensor:
    """Compute the gradient of the Lovász extension with respect to the sorted errors.

    Its element i is the increase of 1 - IoU when pixel i joins the wrong pixels before it. Berman
    et al., 2018, algorithm 1, in a form that does not subtract nearly equal numbers.

    Args:
        is_true: Mask `(N,)` of the pixels of the class, sorted by decreasing error. At least one
            is set; pixels after the last that is set may be left out.
    """
    num_found = is_true.cumsum(0)
    num_true = num_found[-1]
    num_others = torch.arange(1, len(num_found) + 1, device=num_found.device) - num_found
    union = (num_true + num_others).to(sum_dtype(num_found.device))
    # A wrong pixel of the class leaves the intersection; any other wrong pixel joins the union.
    by_true = 1 / union
    by_other = (num_true - num_found) / (union * (union - 1).clamp(min=1))
    return torch.where(is_true, by_true, by_other)


def lovasz(errors: Tensor, is_true: Tensor) -> Tensor:
    """Compute the Lovász extension of 1 - IoU of a class (equation 9).

    Args:
        errors: Absolute difference of the class's probability and the ground truth, `(N,)`.
        is_true: Mask `(N,)` of the pixels of the class, of which at least one is set.
    """
    ordered, order = errors.sort(descending=True)
    return (ordered * jaccard_gradient(is_true[order]).to(errors.dtype)).sum()


class LovaszSoftmax(SegmentationLoss):
    """The mean over the classes in the ground truth of a batch, times its valid pixels.

    Beside the two passes over all tiles, each class in the ground truth takes a pass over the
    probabilities of that class at all pixels: upsampling, sorting by error, gradient. Pixels with a
    smaller error than every pixel of the class are not sorted, as their gradient is 0. The loss
    holds about 40 bytes per pixel for any number of classes.
    """

    def untiled(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss from full-size logits."""
        valid = target != self.ignore_index
        probabilities = logits.softmax(dim=1).movedim(1, -1)[valid]
        classes = target[valid].long()
        total = logits.sum() * 0
        present = classes.unique()
        for label in present:
            is_true = classes == label
            total = total + lovasz((is_true.float() - probabilities[:, label]).abs(), is_true)
        return total * len(classes) / max(1, len(present))

    def prepare(self, batch: TiledBatch) -> TileLoss:
        """Add the gradients of single classes, and leave what all classes share to the tiles."""
        first_pass, target = batch.first_pass, batch.target
        present = target[first_pass.valid].unique().tolist()
        scale = first_pass.num_valid / max(1, len(present))
        mean = torch.zeros_like(first_pass.log_sum_exp)
        value = torch.zeros((), dtype=sum_dtype(target.device), device=target.device)
        for label in present:
            is_true = target == label
            # Where a pixel is right, the tiles subtract nearly the same number. The small
            # difference is exact only if both sides compute the probability alike.
            probability = torch.where(
                is_true, first_pass.true_probability, _class_probability(batch, label)
            )
            class_value, derivative = _class_loss(probability, is_true, first_pass.valid)
            value += class_value / len(present)
            by_logit = probability.mul_(derivative.mul_(scale))
            mean += by_logit
            _add_class_gradient(batch, label, by_logit * self.weight)
        return partial(_tile_gradient, value, mean)


def _class_loss(probability: Tensor, is_true: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the loss of a class, and its derivative by the class's probability, `(B, H, W)`."""
    errors = torch.where(is_true, 1 - probability, probability)
    chosen = (errors >= errors[is_true].min()) & valid
    ordered, order = errors[chosen].sort(descending=True)
    chosen_is_true = is_true[chosen]
    by_sorted_error = jaccard_gradient(chosen_is_true[order])
    by_error = torch.empty_like(ordered)
    by_error[order] = by_sorted_error.float()
    by_probability = torch.where(chosen_is_true, -by_error, by_error)
    value = (ordered * by_sorted_error).sum(dtype=sum_dtype(errors.device))
    return value, torch.zeros_like(probability).masked_scatter_(chosen, by_probability)


def _tile_gradient(value: Tensor, mean: Tensor, tile: TileSoftmax) -> TileGradient:
    """Subtract the mean derivative, which the softmax gives to all classes."""
    total = value * tile.valid.sum()
    return TileGradient(total, -mean[tile.tile_index], torch.zeros_like(tile.exponential_sum))


def _class_probability(batch: TiledBatch, label: int) -> Tensor:
    """Compute the probability of one class at each pixel, `(B, H, W)`."""
    head, bias = batch.head_bits[label], batch.bias_bits[label]
    logits = torch.stack([head @ image.float().flatten(1) for image in batch.features]) + bias
    logits = logits.view(-1, 1, *batch.features.shape[2:])
    upsampled = upsample(logits, batch.covered, batch.size)[:, 0]
    return upsampled.sub_(batch.first_pass.log_sum_exp).exp2_()


def _add_class_gradient(batch: TiledBatch, label: int, gradient: Tensor) -> None:
    """Add a gradient with respect to the logits of one class, in nats, `(B, H, W)`."""
    downsampled = _downsampled(gradient, batch)
    weight = batch.head_bits[label] / BITS_PER_NAT
    sums = batch.gradients
    for image, grad_image, grad in zip(batch.features, sums.features, downsampled, strict=True):
        grad_image.addcmul_(weight[:, None, None], grad)
        sums.weight[label] += image.float().flatten(1) @ grad.flatten()
    sums.bias[label] += downsampled.sum()


def _downsampled(gradient: Tensor, batch: TiledBatch) -> Tensor:
    """Apply the transpose of `upsample` to a gradient: `(B, H, W)` to `(B, h, w)`."""
    height, width = batch.features.shape[2:]
    if (height, width) == batch.size == batch.covered:
        return gradient
    rows = interpolation_matrix(batch.size[0], height, batch.covered[0]).to(gradient)
    columns = interpolation_matrix(batch.size[1], width, batch.covered[1]).to(gradient)
    return rows.T @ (gradient @ columns)
