"""Single classes of a batch at the size of the mask, one plane `(B, H, W)` at a time."""

import torch
from torch import Tensor

from sceneparse.losses.batch import Batch
from sceneparse.ops.upsampling import BITS_PER_NAT, interpolation_matrix, upsample


def probability_plane(batch: Batch, label: int) -> Tensor:
    """Compute the probability of one class at each pixel, `(B, H, W)`, from the survey's norms."""
    head, bias = batch.head_bits[label], batch.bias_bits[label]
    cells = torch.stack([head @ image.float().flatten(1) for image in batch.features]) + bias
    cells = cells.view(-1, 1, *batch.features.shape[2:])
    return upsample(cells, batch.covered, batch.size)[:, 0].sub_(batch.survey.norms).exp2_()


def add_plane_gradient(batch: Batch, label: int, gradient: Tensor) -> None:
    """Add a gradient with respect to the logits of one class, in nats, `(B, H, W)`."""
    narrow = _narrowed(gradient, batch)
    weight = batch.head_bits[label] / BITS_PER_NAT
    into = batch.gradients
    for image, grad, own in zip(batch.features, into.features, narrow, strict=True):
        grad.addcmul_(weight[:, None, None], own)
        into.weight[label] += image.float().flatten(1) @ own.flatten()
    into.bias[label] += narrow.sum()


def _narrowed(gradient: Tensor, batch: Batch) -> Tensor:
    """Turn a gradient at the pixels `(B, H, W)` into that of the cells: `upsample`, transposed."""
    height, width = batch.features.shape[2:]
    if (height, width) == batch.size == batch.covered:
        return gradient
    rows = interpolation_matrix(batch.size[0], height, batch.covered[0]).to(gradient)
    columns = interpolation_matrix(batch.size[1], width, batch.covered[1]).to(gradient)
    return rows.T @ (gradient @ columns)
