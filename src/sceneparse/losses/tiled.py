"""Losses of upsampled logits, tile by tile, so that the big tensor is never made.

With 150 classes, logits at the size of the mask, their softmax and their gradient take more time
and memory than the network. Here the head, the upsampling, the losses and their gradient are done
for a small tile of one image at a time, in buffers that stay in the processor's cache; the
gradient with respect to features and head is added up on the way, in the forward pass, as Cut
Cross-Entropy (Wijmans et al., 2024, arXiv 2411.09009) and Liger Kernel do it for language models.

Where a loss needs something of the whole batch first, all tiles are made twice.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sceneparse.losses.batch import Band, Batch
from sceneparse.losses.pixels import PixelLoss, gradient_of, tile_softmax
from sceneparse.losses.sums import LossSum
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.precision import exact_products, sum_dtype
from sceneparse.ops.upsampling import argmax


class TiledLoss(Protocol):
    """A loss that can be computed tile by tile."""

    @property
    def weight(self) -> float:
        """What it counts in a sum of losses."""
        ...

    @property
    def needs_logits(self) -> bool:
        """Whether it needs the logits of a tile beside their softmax."""
        ...

    def of_batch(self, batch: Batch) -> PixelLoss:
        """Find what the loss needs of a whole batch, and return what it makes of a tile."""
        ...


class Problem(NamedTuple):
    """What does not change from tile to tile.

    Attributes:
        covered: Rows and columns of cells that the target spans.
        ignore_index: Train id of void.
        losses: What is added up.
    """

    covered: tuple[float, float]
    ignore_index: int
    losses: Sequence[TiledLoss]


def tiled_loss(features: Tensor, head: nn.Conv2d, target: Tensor, problem: Problem) -> LossSum:
    """Compute losses of `upsample(head(features))`, and the confusion matrix.

    Args:
        features: What the head sees, `(B, D, h, w)`.
        head: 1×1 convolution to C classes.
        target: Train ids `(B, H, W)`.
        problem: The rest.
    """
    bias = head.weight.new_zeros(head.out_channels) if head.bias is None else head.bias
    total, confusion = _TiledLossFunction.apply(features, head.weight, bias, target, problem)
    return LossSum(total, confusion)


class _TiledLossFunction(torch.autograd.Function):
    """The loss and, already in the forward pass, its gradient."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, target: Tensor, problem: Problem
    ) -> tuple[Tensor, Tensor]:
        # Everything here is fp32, whatever the precision of the network.
        device = features.device
        with torch.autocast(device.type, enabled=False), exact_products(device):
            batch = Batch(features, weight, bias, target, problem.covered, problem.ignore_index)
            work = _Work(batch, problem)
            for band in batch.bands():
                work.add(band)
        grad = batch.gradients
        # DDP wants the strides of the weight too.
        grad_weight = torch.empty_like(weight).copy_(grad.weight.view_as(weight))
        ctx.dtype = features.dtype
        ctx.save_for_backward(grad.features, grad_weight, grad.bias.to(bias))
        confusion = tensor_confusion_matrix(
            work.prediction, target, weight.shape[0], problem.ignore_index
        )
        ctx.mark_non_differentiable(confusion)
        return work.total.float(), confusion

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        grad_total: Tensor = grad_outputs[0]
        grad_features, grad_weight, grad_bias = ctx.saved_tensors
        # In fp32, but for one image at a time; it is not asked for twice.
        for image in grad_features:
            image.copy_(image.float() * grad_total)
        return (
            grad_features.to(ctx.dtype),
            grad_weight * grad_total,
            grad_bias * grad_total,
            None,
            None,
        )


class _Work:
    """Sums over the tiles of a batch.

    Attributes:
        total: The loss.
        prediction: The most probable classes `(B, H, W)`.
    """

    def __init__(self, batch: Batch, problem: Problem) -> None:
        target = batch.target
        self.total = batch.features.new_zeros((), dtype=sum_dtype(target.device))
        self.prediction = torch.empty(target.shape, dtype=torch.int64, device=target.device)
        self._batch = batch
        self._losses = [(loss.weight, loss.of_batch(batch)) for loss in problem.losses]
        self._keeps_logits = any(loss.needs_logits for loss in problem.losses)

    def add(self, band: Band) -> None:
        """Add what the pixels of a band come to."""
        gradient = None
        for part in self._batch.parts(band):
            highest = part.bits.amax(dim=1, keepdim=True)
            shifted = part.bits.sub_(highest)
            self.prediction[part.place] = argmax(shifted)
            pixels = tile_softmax(
                shifted,
                highest[:, 0],
                self._batch.target[part.place],
                self._batch.ignore_index,
                part.place,
                keeps_logits=self._keeps_logits,
            )
            terms = [loss(pixels).times(weight) for weight, loss in self._losses]
            for term in terms:
                self.total += term.total
            found = gradient_of(pixels, terms)
            if part.tile is None:
                gradient = found
            else:
                gradient = torch.zeros_like(band.cells) if gradient is None else gradient
                part.tile.add_downsampled_(gradient, found)
        if gradient is not None:
            self._batch.gradients.add(band, gradient)
