"""Normalisation layers: over a batch, over groups of channels, over the batch of all processes."""

from typing import Any, NamedTuple, assert_never

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sceneparse.models.settings import Normalization

# Wu & He (2018, table 3): 32 groups, and no less than about 8 channels in each.
MOST_GROUPS = 32
LEAST_CHANNELS = 8


def normalization(kind: Normalization, channels: int) -> nn.Module:
    """Make the layer that normalises `(B, channels, H, W)`.

    Args:
        kind: `batch` (Ioffe & Szegedy, 2015, arXiv 1502.03167); `group` (Wu & He, 2018, arXiv
            1803.08494), which does not depend on the batch.
        channels: Channels that go in; groups are as many as divide them, up to 32 and of 8 or more.
    """
    match kind:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "group":
            most = min(MOST_GROUPS, max(1, channels // LEAST_CHANNELS))
            groups = next(count for count in range(most, 0, -1) if channels % count == 0)
            return nn.GroupNorm(groups, channels)
        case _:
            assert_never(kind)


def synchronise_(module: nn.Module, device: torch.device) -> None:
    """Make every batch normalisation inside a module one over the images of all processes.

    Parameters and buffers stay the same objects under the same names.

    Args:
        module: What is changed.
        device: Where it is going to compute; on CUDA the layers are PyTorch's own, which are fused.
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
            place, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(place), attribute, synchronised[layer])


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose statistics are those of the images of all processes.

    PyTorch's own computes on CUDA alone, and DDP refuses it elsewhere; this one computes wherever
    `torch.distributed` does. N processes then normalise as one with the whole batch would. When not
    training it is its parent.
    """

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        """Take the place of a layer, with its parameters, buffers and what it does afterwards."""
        super().__init__(
            layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
        )
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        # timm's BatchNormAct2d does what its children are, dropout and activation, afterwards.
        for name, child in layer.named_children():
            self.add_module(name, child)
        self.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `(B, C, H, W)`."""
        if self.training and dist.is_available() and dist.is_initialized():
            features = self._over_processes(input)
        else:
            features = super().forward(input)
        for following in self.children():
            features = following(features)
        return features

    def _over_processes(self, features: Tensor) -> Tensor:
        statistics = pooled_statistics(features.detach())
        self._follow(statistics)
        weight: Tensor = self.weight if self.affine else torch.ones_like(statistics.mean)
        bias: Tensor = self.bias if self.affine else torch.zeros_like(statistics.mean)
        return _Normalise.apply(features, weight, bias, statistics, self.eps)

    @torch.no_grad()
    def _follow(self, statistics: "Statistics") -> None:
        """Move the running statistics as the parent does, towards the unbiased variance."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked or 1)
        unbiased = statistics.number / (statistics.number - 1).clamp(min=1)
        self.running_mean.lerp_(statistics.mean, momentum)
        self.running_var.lerp_(statistics.variance * unbiased, momentum)


# Keeps the reciprocal of a variance of zero finite.
_EPS = 1e-12


class Statistics(NamedTuple):
    """What the images of all processes came to.

    Attributes:
        mean: Per channel, `(C,)`.
        variance: Per channel, biased, `(C,)`.
        number: Values per channel, a scalar.
    """

    mean: Tensor
    variance: Tensor
    number: Tensor


def pooled_statistics(features: Tensor) -> Statistics:
    """Compute the statistics of `(B, C, H, W)` over all processes, whose B may differ.

    Means and variances are put together, not sums of squares, which would cancel (Chan et al.,
    1979); one collective. Those of this process come from PyTorch's own kernel, which also
    normalises with them, for nothing, and is still faster than `var_mean`.
    """
    channels = features.shape[1]
    # The type of the weights is that of the statistics: at least fp32.
    dtype = torch.promote_types(features.dtype, torch.float32)
    ones = torch.ones(channels, dtype=dtype, device=features.device)
    _, mean, scale = torch.native_batch_norm(
        features, ones, torch.zeros_like(ones), None, None, True, 0.0, _EPS
    )
    variance = scale.double() ** -2 - _EPS
    count = mean.new_full((1,), features.numel() // channels, dtype=torch.float64)
    own = torch.cat([count, mean.double(), variance])
    every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(every, own)
    counts, means, variances = torch.stack(every).split([1, channels, channels], dim=1)
    total = counts.sum()
    mean = (counts * means).sum(dim=0) / total
    variance = (counts * (variances + (means - mean) ** 2)).sum(dim=0) / total
    return Statistics(*(value.to(scale.dtype) for value in (mean, variance, total)))


class _Normalise(torch.autograd.Function):
    """Normalise with statistics of all processes, through which the gradient goes too."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, pooled: Statistics, eps: float
    ) -> Tensor:
        ctx.eps = eps
        ctx.save_for_backward(features, weight, pooled.mean, pooled.variance, pooled.number)
        return F.batch_norm(features, pooled.mean, pooled.variance, weight, bias, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        features, weight, pooled_mean, pooled_variance, number = ctx.saved_tensors
        # As if the statistics were constants; weight and bias get this process's share, as DDP adds
        # up the gradients of parameters.
        grad_features, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            grad_outputs[0],
            features,
            weight,
            pooled_mean,
            pooled_variance,
            None,
            None,
            False,
            ctx.eps,
            [True, True, True],
        )
        # What goes through the statistics is, in each channel, a line over the features.
        towards_bias, towards_weight = _summed(torch.stack([grad_bias, grad_weight])) / number
        scale = torch.rsqrt(pooled_variance + ctx.eps)
        slope = -weight * scale**2 * towards_weight
        offset = -weight * scale * towards_bias - slope * pooled_mean
        line = (features * slope.view(1, -1, 1, 1)).add_(offset.view(1, -1, 1, 1))
        return line.add_(grad_features).to(features.dtype), grad_weight, grad_bias, None, None


def _summed(tensor: Tensor) -> Tensor:
    dist.all_reduce(tensor)
    return tensor
