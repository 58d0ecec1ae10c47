"""Normalisation layers: batch, group, and synchronised batch normalisation."""

from typing import Any, NamedTuple, assert_never

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sceneparse.models.settings import NormalizationKind

# Wu & He (2018, table 3): 32 groups are best, with at least about 8 channels in each.
MAX_GROUPS = 32
MIN_GROUP_CHANNELS = 8


def normalization_layer(kind: NormalizationKind, channels: int) -> nn.Module:
    """Make the layer that normalises `(B, channels, H, W)`.

    Args:
        kind: `batch` (Ioffe & Szegedy, 2015, arXiv 1502.03167) or `group` (Wu & He, 2018, arXiv
            1803.08494), which does not depend on the batch.
        channels: Channels of the input. Group normalisation takes the largest number of groups
            that divides them, up to 32 and with 8 channels or more in each; one group if there are
            fewer channels.
    """
    match kind:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "group":
            max_groups = min(MAX_GROUPS, max(1, channels // MIN_GROUP_CHANNELS))
            groups = next(count for count in range(max_groups, 0, -1) if channels % count == 0)
            return nn.GroupNorm(groups, channels)
        case _:
            assert_never(kind)


def synchronise_batch_norms_(module: nn.Module, device: torch.device) -> None:
    """Replace all batch norms of a module by ones over the images of all processes.

    Parameters and buffers stay the same objects under the same names.

    Args:
        module: The module, changed in place.
        device: Its device; on CUDA the layers are those of PyTorch, which have fused kernels.
    """
    if device.type == "cuda":
        from timm.layers.norm_act import convert_sync_batchnorm

        convert_sync_batchnorm(module)
        return
    synchronised: dict[nn.Module, SyncBatchNorm2d] = {}
    for name, layer in list(module.named_modules(remove_duplicate=False)):
        if isinstance(layer, nn.BatchNorm2d) and not isinstance(layer, SyncBatchNorm2d):
            if layer not in synchronised:
                synchronised[layer] = SyncBatchNorm2d(layer)
            parent, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(parent), attribute, synchronised[layer])


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the images of all processes, on any device.

    N processes normalise as one process with the whole batch does. PyTorch's `SyncBatchNorm`
    computes only on CUDA, and DDP refuses it elsewhere. In evaluation, and without a process
    group, this layer does what `nn.BatchNorm2d` does.
    """

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        """Take over the parameters, buffers and child modules of a layer."""
        super().__init__(
            layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
        )
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        # timm's BatchNormAct2d applies its children, dropout and activation, to its output.
        for name, child in layer.named_children():
            self.add_module(name, child)
        self.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `(B, C, H, W)`."""
        if self.training and dist.is_available() and dist.is_initialized():
            features = self._synchronised(input)
        else:
            features = super().forward(input)
        for child in self.children():
            features = child(features)
        return features

    def _synchronised(self, features: Tensor) -> Tensor:
        statistics = synchronised_statistics(features.detach())
        self._update_running_statistics(statistics)
        weight: Tensor = self.weight if self.affine else torch.ones_like(statistics.mean)
        bias: Tensor = self.bias if self.affine else torch.zeros_like(statistics.mean)
        return _NormaliseFunction.apply(features, weight, bias, statistics, self.eps)

    @torch.no_grad()
    def _update_running_statistics(self, statistics: "BatchStatistics") -> None:
        """Update mean and unbiased variance as `nn.BatchNorm2d` does."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked or 1)
        unbiased = statistics.num_values / (statistics.num_values - 1).clamp(min=1)
        self.running_mean.lerp_(statistics.mean, momentum)
        self.running_var.lerp_(statistics.variance * unbiased, momentum)


# Keeps the reciprocal finite where the variance is zero.
_EPS = 1e-12


class BatchStatistics(NamedTuple):
    """Statistics of the images of all processes.

    Attributes:
        mean: Mean of each channel, `(C,)`.
        variance: Biased variance of each channel, `(C,)`.
        num_values: Number of values per channel, a scalar.
    """

    mean: Tensor
    variance: Tensor
    num_values: Tensor


def synchronised_statistics(features: Tensor) -> BatchStatistics:
    """Compute the statistics of `(B, C, H, W)` over all processes, whose B may differ.

    One `all_gather` collects the means and variances of the processes. Combining these instead of
    sums of squares avoids cancellation (Chan et al., 1979). PyTorch's batch-norm kernel computes
    those of this process; although it also normalises, it is faster than `var_mean`.
    """
    channels = features.shape[1]
    # The kernel returns statistics in the type of the weights: at least fp32.
    dtype = torch.promote_types(features.dtype, torch.float32)
    ones = torch.ones(channels, dtype=dtype, device=features.device)
    _, mean, inverse_std = torch.native_batch_norm(
        features, ones, torch.zeros_like(ones), None, None, True, 0.0, _EPS
    )
    # The kernel returns 1 / sqrt(variance + eps).
    variance = inverse_std.double() ** -2 - _EPS
    count = mean.new_full((1,), features.numel() // channels, dtype=torch.float64)
    local = torch.cat([count, mean.double(), variance])
    gathered = [torch.empty_like(local) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, local)
    counts, means, variances = torch.stack(gathered).split([1, channels, channels], dim=1)
    total = counts.sum()
    mean = (counts * means).sum(dim=0) / total
    variance = (counts * (variances + (means - mean) ** 2)).sum(dim=0) / total
    return BatchStatistics(*(value.to(inverse_std.dtype) for value in (mean, variance, total)))


class _NormaliseFunction(torch.autograd.Function):
    """Normalise with the statistics of all processes, and differentiate through them."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        statistics: BatchStatistics,
        eps: float,
    ) -> Tensor:
        ctx.eps = eps
        mean, variance, count = statistics
        ctx.save_for_backward(features, weight, mean, variance, count)
        return F.batch_norm(features, mean, variance, weight, bias, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        features, weight, mean, variance, count = ctx.saved_tensors
        # First with the statistics as constants. DDP reduces the gradients of weight and bias over
        # the processes, so only the share of this process is returned.
        grad_features, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            grad_outputs[0],
            features,
            weight,
            mean,
            variance,
            None,
            None,
            False,
            ctx.eps,
            [True, True, True],
        )
        # The gradient through mean and variance is, in each channel, linear in the features.
        bias_mean, weight_mean = _all_reduce(torch.stack([grad_bias, grad_weight])) / count
        scale = torch.rsqrt(variance + ctx.eps)
        factor = -weight * scale**2 * weight_mean
        offset = -weight * scale * bias_mean - factor * mean
        through_statistics = (features * factor.view(1, -1, 1, 1)).add_(offset.view(1, -1, 1, 1))
        grad_features = through_statistics.add_(grad_features).to(features.dtype)
        return grad_features, grad_weight, grad_bias, None, None


def _all_reduce(tensor: Tensor) -> Tensor:
    dist.all_reduce(tensor)
    return tensor
