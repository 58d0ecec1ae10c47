"""Losses of upsampled logits, tile by tile, so that the big tensor is never made.

With 150 classes, logits at the size of the mask, their softmax and their gradient take more time
and memory than the network. Here the head, the upsampling, the loss and its gradient are done for a
small tile of one picture at a time, in buffers that stay in the processor's cache; the gradient
with respect to features and head is added up on the way, in the forward pass, as Cut Cross-Entropy
(Wijmans et al., 2024, arXiv 2411.09009) and Liger Kernel do it for language models.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sceneparse.confusion import confusion_matrix
from sceneparse.losses.sums import LossSum
from sceneparse.sums import exact_products, sum_dtype
from sceneparse.upsample import BITS_PER_NAT, tile_bytes, tiles


class TileLoss(NamedTuple):
    """What a loss makes of one tile.

    Attributes:
        total: The loss in nats, summed over the valid pixels.
        gradient: With respect to the logits in nats, `(R, C, K)`.
        prediction: The likeliest classes `(R, K)`.
    """

    total: Tensor
    gradient: Tensor
    prediction: Tensor


# (logits in bits (R, C, K), which may be overwritten, train ids (R, K)) -> what comes of them
PixelLoss = Callable[[Tensor, Tensor], TileLoss]


class Problem(NamedTuple):
    """What does not change from tile to tile.

    Attributes:
        covered: Rows and columns of cells that the target spans.
        ignore_index: Train id of void.
        pixel_loss: The loss of a tile.
    """

    covered: tuple[float, float]
    ignore_index: int
    pixel_loss: PixelLoss


def loss_in_strips(features: Tensor, head: nn.Conv2d, target: Tensor, problem: Problem) -> LossSum:
    """Compute a summed loss of `upsample(head(features))`, and the confusion matrix.

    Args:
        features: What the head sees, `(B, D, h, w)`.
        head: 1×1 convolution to C classes.
        target: Train ids `(B, H, W)`.
        problem: The rest.
    """
    bias = head.weight.new_zeros(head.out_channels) if head.bias is None else head.bias
    total, confusion = _StripLoss.apply(features, head.weight, bias, target, problem)
    return LossSum(total, confusion)


class _StripLoss(torch.autograd.Function):
    """The loss and, already in the forward pass, its gradient."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, target: Tensor, problem: Problem
    ) -> tuple[Tensor, Tensor]:
        # Everything here is fp32, whatever the precision of the network.
        device = features.device
        with torch.autocast(device.type, enabled=False), exact_products(device):
            work = _Work(features, weight, bias, target, problem)
            for index in range(features.shape[0]):
                work.add_picture(index)
        ctx.save_for_backward(work.grad_features, work.grad_weight, work.grad_bias)
        confusion = confusion_matrix(work.prediction, target, weight.shape[0], problem.ignore_index)
        ctx.mark_non_differentiable(confusion)
        return work.total.float(), confusion

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        grad_total: Tensor = grad_outputs[0]
        grad_features, grad_weight, grad_bias = ctx.saved_tensors
        # In fp32, but for one picture at a time; it is not asked for twice.
        for picture in grad_features:
            picture.copy_(picture.float() * grad_total)
        return (
            grad_features,
            grad_weight * grad_total,
            grad_bias * grad_total,
            None,
            None,
        )


class _Work:
    """Sums over the tiles of a batch.

    Attributes:
        total: The loss.
        prediction: The likeliest classes `(B, H, W)`.
        grad_features: As the features, `(B, D, h, w)`.
        grad_weight: As the weight, `(C, D, 1, 1)`; DDP wants its strides too.
        grad_bias: `(C,)`.
    """

    def __init__(
        self, features: Tensor, weight: Tensor, bias: Tensor, target: Tensor, problem: Problem
    ) -> None:
        self.total = features.new_zeros((), dtype=sum_dtype(features.device))
        self.prediction = torch.empty(target.shape, dtype=torch.int64, device=target.device)
        self.grad_features = torch.empty_like(features)
        self.grad_weight, self.grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        self._features, self._target, self._problem = features, target, problem
        self._weight = weight.flatten(1).float() * BITS_PER_NAT
        self._bias = bias.float() * BITS_PER_NAT
        size, cells = (target.shape[1], target.shape[2]), (features.shape[2], features.shape[3])
        row_bytes = 4 * weight.shape[0] * size[1]
        self._rows_at_once = max(1, tile_bytes(features.device) // row_bytes)
        self._tiles = (
            None
            if size == cells == problem.covered
            else tiles(size, cells, problem.covered, weight.shape[0], features.device)
        )

    def add_picture(self, index: int) -> None:
        """Add what one picture of the batch comes to."""
        height = self._features.shape[2]
        if self._tiles is not None:
            self._add_rows(index, slice(0, height), self._loss_of_mixed)
            return
        for top in range(0, height, self._rows_at_once):
            self._add_rows(index, slice(top, top + self._rows_at_once), self._loss_of_same)

    def _add_rows(
        self, index: int, rows: slice, loss: Callable[[int, slice, Tensor], Tensor]
    ) -> None:
        """Add some rows of cells: the head, what comes after it, and the head's gradient.

        Args:
            index: The picture.
            rows: Which rows.
            loss: Turns index, rows and logits in bits `(h, C, w)` into the gradient in nats.
        """
        seen = self._features[index, :, rows].permute(1, 2, 0).float()
        cells = (self._weight @ seen.transpose(1, 2)).add_(self._bias[:, None])
        gradient = loss(index, rows, cells)
        flat = gradient.transpose(0, 1).flatten(1)
        grad = gradient.transpose(1, 2) @ (self._weight / BITS_PER_NAT)
        self.grad_features[index, :, rows] = grad.permute(2, 0, 1)
        self.grad_weight += (flat @ seen.flatten(0, 1)).view_as(self.grad_weight)
        self.grad_bias += flat.sum(dim=1)

    def _loss_of_same(self, index: int, rows: slice, cells: Tensor) -> Tensor:
        """Add the loss where each cell is a pixel."""
        part = self._problem.pixel_loss(cells, self._target[index, rows])
        self.total += part.total
        self.prediction[index, rows] = part.prediction
        return part.gradient

    def _loss_of_mixed(self, index: int, _rows: slice, cells: Tensor) -> Tensor:
        """Add the loss where pixels are mixed from cells."""
        gradient = torch.zeros_like(cells)
        for tile in self._tiles or ():
            part = self._problem.pixel_loss(tile.widened(cells), self._target[index][tile.pixels])
            self.total += part.total
            self.prediction[index][tile.pixels] = part.prediction
            tile.add_narrowed_(gradient, part.gradient)
        return gradient
