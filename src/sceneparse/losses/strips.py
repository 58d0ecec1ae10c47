"""Cross-entropy of upsampled logits, strip by strip, so that the big tensor is never made.

With 150 classes, logits at the size of the mask, their softmax and their gradient take more time
and memory than the network. Here the head, the upsampling, the loss and its gradient are done for a
few rows of one picture at a time, in a buffer that stays in the processor's cache; the gradient
with respect to features and head is added up on the way, in the forward pass, as Cut Cross-Entropy
(Wijmans et al., 2024, arXiv 2411.09009) and Liger Kernel do it for language models.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sceneparse.losses.confusion import LossSum, confusion_matrix
from sceneparse.sums import sum_dtype
from sceneparse.upsample import interpolation_matrix, row_strips

# Bytes of fp32 logits at a time: a CPU wants them in its cache, a GPU wants enough work per kernel.
STRIP_BYTES = {"cpu": 2 * 2**20}
STRIP_BYTES_ACCELERATOR = 256 * 2**20


@dataclass(frozen=True)
class Settings:
    """What does not change from strip to strip.

    Attributes:
        covered: Rows and columns of cells that the target spans.
        ignore_index: Train id of void.
        label_smoothing: Share of the target spread evenly over all classes.
    """

    covered: tuple[float, float]
    ignore_index: int
    label_smoothing: float


def cross_entropy_in_strips(
    features: Tensor, head: nn.Conv2d, target: Tensor, settings: Settings
) -> LossSum:
    """Compute the summed cross-entropy of `upsample(head(features))`, and the confusion matrix.

    Args:
        features: What the head sees, `(B, D, h, w)`.
        head: 1×1 convolution to C classes.
        target: Train ids `(B, H, W)`.
        settings: The rest.
    """
    bias = head.weight.new_zeros(head.out_channels) if head.bias is None else head.bias
    total, confusion = _StripCrossEntropy.apply(
        features, head.weight.flatten(1), bias, target, settings
    )
    return LossSum(total, confusion)


class _StripCrossEntropy(torch.autograd.Function):
    """The loss and, already in the forward pass, its gradient."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, target: Tensor, settings: Settings
    ) -> tuple[Tensor, Tensor]:
        num_classes = weight.shape[0]
        total = features.new_zeros((), dtype=sum_dtype(features.device))
        prediction = torch.empty(target.shape, dtype=torch.int64, device=target.device)
        grad_features = torch.empty_like(features)
        grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        # Everything here is fp32, whatever the precision of the network.
        with torch.autocast(features.device.type, enabled=False):
            for index, picture in enumerate(features):
                seen = picture.float().flatten(1)
                logits = torch.addmm(bias.float()[:, None], weight.float(), seen)
                cells = logits.view(num_classes, *picture.shape[1:]).transpose(0, 1).contiguous()
                loss, grad = _loss_and_gradient_(cells, target[index], prediction[index], settings)
                flat = grad.transpose(0, 1).flatten(1)
                total += loss
                grad_features[index] = (weight.float().T @ flat).view_as(picture)
                grad_weight += flat @ seen.T
                grad_bias += flat.sum(dim=1)
        ctx.save_for_backward(grad_features, grad_weight, grad_bias)
        confusion = confusion_matrix(prediction, target, num_classes, settings.ignore_index)
        ctx.mark_non_differentiable(confusion)
        return total.float(), confusion

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        grad_total: Tensor = grad_outputs[0]
        grad_features, grad_weight, grad_bias = ctx.saved_tensors
        return (
            (grad_features.float() * grad_total).to(grad_features.dtype),
            grad_weight * grad_total,
            grad_bias * grad_total,
            None,
            None,
        )


def _loss_and_gradient_(
    cells: Tensor, target: Tensor, prediction: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    """Compute the loss of one picture and its gradient with respect to the logits of the cells.

    Strips have the layout `(rows, C, columns)`: reductions over classes then run along memory, and
    rows are mixed by one matrix product.

    Args:
        cells: Logits `(h, C, w)`; overwritten.
        target: Train ids `(H, W)`.
        prediction: Filled with the likeliest classes `(H, W)`.
        settings: The rest.

    Returns:
        The summed loss and the gradient `(h, C, w)`.
    """
    (height, width), num_classes = target.shape, cells.shape[1]
    limit = STRIP_BYTES.get(cells.device.type, STRIP_BYTES_ACCELERATOR)
    step = max(1, limit // (4 * num_classes * width))
    total = cells.new_zeros((), dtype=sum_dtype(cells.device))
    if (cells.shape[0], cells.shape[2]) == (height, width) == settings.covered:
        for top in range(0, height, step):
            part = slice(top, top + step)
            total += _softmax_gradient_(cells[part], target[part], prediction[part], settings)
        return total, cells
    columns = interpolation_matrix(width, cells.shape[2], settings.covered[1]).to(cells.device)
    widened = cells @ columns.T
    grad = torch.zeros_like(widened)
    for part, band, weights in row_strips(height, cells.shape[0], settings.covered[0], step):
        mix = weights.to(cells.device)
        strip = (mix @ widened[band].flatten(1)).view(-1, num_classes, width)
        total += _softmax_gradient_(strip, target[part], prediction[part], settings)
        grad[band] += (mix.T @ strip.flatten(1)).view_as(grad[band])
    return total, grad @ columns


def _softmax_gradient_(
    strip: Tensor, target: Tensor, prediction: Tensor, settings: Settings
) -> Tensor:
    """Turn logits `(R, C, W)` into the gradient of the loss in place, and return the summed loss.

    The gradient is the softmax less the target (Bridle, 1990), zero at void pixels.
    """
    smoothing = settings.label_smoothing
    valid = target != settings.ignore_index
    true = target.where(valid, 0).long()[:, None]
    best, likeliest = strip.max(dim=1, keepdim=True)
    prediction.copy_(likeliest[:, 0])
    strip.sub_(best)
    wanted = (1 - smoothing) * strip.gather(1, true)
    if smoothing:
        wanted += smoothing * strip.mean(dim=1, keepdim=True)
    strip.exp_()
    norm = strip.sum(dim=1, keepdim=True)
    counted = valid[:, None].float()
    strip.mul_(counted / norm)
    strip.scatter_add_(1, true, -(1 - smoothing) * counted)
    if smoothing:
        strip.sub_(smoothing / strip.shape[1] * counted)
    return ((norm.log() - wanted) * counted).sum(dtype=sum_dtype(strip.device))
