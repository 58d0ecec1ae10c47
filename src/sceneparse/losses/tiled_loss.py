"""Losses of upsampled logits, computed tile by tile, so that the big tensor is never made.

With 150 classes, logits at the size of the mask, their softmax and their gradient take more time
and memory than the network. This module computes head, upsampling, losses and gradient for one
small tile of an image at a time, in buffers that stay in the processor's cache. The forward pass
already sums up the gradient with respect to features and head, as Cut Cross-Entropy (Wijmans et
al., 2024, arXiv 2411.09009) and Liger Kernel do for language models.

A loss whose gradient depends on the whole batch takes a first pass over all tiles.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sceneparse.losses.tile_gradient import TileLoss, logit_gradient, tile_softmax
from sceneparse.losses.tiled_batch import FeatureRows, TiledBatch
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.precision import exact_products, sum_dtype
from sceneparse.ops.upsampling import argmax


class LossTerm(Protocol):
    """A loss that can be computed tile by tile."""

    @property
    def weight(self) -> float:
        """Factor on the loss."""
        ...

    @property
    def needs_logits(self) -> bool:
        """Whether the loss of a tile needs its logits beside its softmax."""
        ...

    def prepare(self, batch: TiledBatch) -> TileLoss:
        """Compute what the loss needs of the whole batch, and return the loss of a tile."""
        ...


class LossTerms(NamedTuple):
    """The losses to add up, and the geometry that all tiles share.

    Attributes:
        covered: Rows and columns of the padded feature map that the target covers.
        ignore_index: Train id of void.
        losses: The losses.
    """

    covered: tuple[float, float]
    ignore_index: int
    losses: Sequence[LossTerm]


def tiled_loss(
    features: Tensor, head: nn.Conv2d, target: Tensor, terms: LossTerms
) -> tuple[Tensor, Tensor]:
    """Compute the weighted sum of losses of `upsample(head(features))`.

    Args:
        features: Input of the head, `(B, D, h, w)`.
        head: 1×1 convolution to C classes.
        target: Train ids `(B, H, W)`.
        terms: The losses.

    Returns:
        The sum over valid pixels, a scalar, and the int64 confusion matrix `(C, C + 1)`.
    """
    bias = head.weight.new_zeros(head.out_channels) if head.bias is None else head.bias
    return _TiledLossFunction.apply(features, head.weight, bias, target, terms)


class _TiledLossFunction(torch.autograd.Function):
    """Compute the loss, and already in the forward pass its gradient."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, target: Tensor, terms: LossTerms
    ) -> tuple[Tensor, Tensor]:
        # In fp32 for a network of any precision.
        device = features.device
        with torch.autocast(device.type, enabled=False), exact_products(device):
            batch = TiledBatch(features, weight, bias, target, terms.covered, terms.ignore_index)
            sums = _TileSums(batch, terms)
            for rows in batch.feature_rows():
                sums.add(rows)
        grad = batch.gradients
        # DDP needs the gradient to have the strides of the weight.
        grad_weight = torch.empty_like(weight).copy_(grad.weight.view_as(weight))
        ctx.dtype = features.dtype
        ctx.save_for_backward(grad.features, grad_weight, grad.bias.to(bias))
        confusion = tensor_confusion_matrix(
            sums.prediction, target, weight.shape[0], terms.ignore_index
        )
        ctx.mark_non_differentiable(confusion)
        return sums.total.float(), confusion

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        grad_total: Tensor = grad_outputs[0]
        grad_features, grad_weight, grad_bias = ctx.saved_tensors
        # Image by image, which saves an fp32 copy of the batch; in place, as it runs only once.
        for image in grad_features:
            image.copy_(image.float() * grad_total)
        return (
            grad_features.to(ctx.dtype),
            grad_weight * grad_total,
            grad_bias * grad_total,
            None,
            None,
        )


class _TileSums:
    """Sums over the tiles of a batch.

    Attributes:
        total: The weighted sum of the losses, a scalar.
        prediction: The argmax `(B, H, W)` of the logits.
    """

    def __init__(self, batch: TiledBatch, terms: LossTerms) -> None:
        target = batch.target
        self.total = batch.features.new_zeros((), dtype=sum_dtype(target.device))
        self.prediction = torch.empty(target.shape, dtype=torch.int64, device=target.device)
        self._batch = batch
        self._losses = [(loss.weight, loss.prepare(batch)) for loss in terms.losses]
        self._keep_logits = any(loss.needs_logits for loss in terms.losses)

    def add(self, rows: FeatureRows) -> None:
        """Add the losses and the gradient of the tiles over some feature rows."""
        gradient = None
        for tile in self._batch.logit_tiles(rows):
            max_logit = tile.logits.amax(dim=1, keepdim=True)
            shifted = tile.logits.sub_(max_logit)
            self.prediction[tile.tile_index] = argmax(shifted)
            softmax = tile_softmax(
                shifted,
                max_logit[:, 0],
                self._batch.target[tile.tile_index],
                self._batch.ignore_index,
                tile.tile_index,
                keep_logits=self._keep_logits,
            )
            terms = [loss(softmax).scaled(weight) for weight, loss in self._losses]
            for term in terms:
                self.total += term.total
            tile_grad = logit_gradient(softmax, terms)
            if tile.upsampling is None:
                gradient = tile_grad
            else:
                gradient = torch.zeros_like(rows.logits) if gradient is None else gradient
                tile.upsampling.accumulate_gradient_(gradient, tile_grad)
        if gradient is not None:
            self._batch.gradients.add(rows, gradient)
