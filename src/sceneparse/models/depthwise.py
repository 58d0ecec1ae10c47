"""Depthwise convolutions that are as fast backward as forward, in half precision on a CPU.

There PyTorch has no fast code for two of their gradients: that of the input where the stride is not
1, and that of a kernel larger than 3×3. They take up to a hundred times what the convolution does.
In fp32 there is fast code, so these two are computed in it (docs/performance.md).
"""

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# The largest kernel whose gradient has fast code in half precision.
_FAST_KERNEL = 3


def with_fast_gradients(network: nn.Module) -> None:
    """Put a `DepthwiseConv2d` in the place of each convolution whose gradient would be slow.

    Parameters, their names, and what is computed forward stay as they are.
    """
    from timm.layers.conv2d_same import Conv2dSame

    for module in list(network.modules()):
        for name, child in module.named_children():
            # Other kinds do more than a convolution.
            same = type(child) is Conv2dSame
            if isinstance(child, nn.Conv2d) and (same or type(child) is nn.Conv2d):
                depthwise = child.groups == child.in_channels > 1 and child.padding_mode == "zeros"
                if depthwise and any(_slow_gradients(child)):
                    setattr(module, name, DepthwiseConv2d(child, same=same))


def _slow_gradients(conv: nn.Conv2d) -> tuple[bool, bool]:
    """Tell whether those of the input and of the kernel are slow."""
    return max(conv.stride) > 1, max(conv.kernel_size) > _FAST_KERNEL


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that takes the place of another one, and has its parameters."""

    def __init__(self, conv: nn.Conv2d, *, same: bool) -> None:
        """Take the parameters of a convolution.

        Args:
            conv: With as many groups as input channels.
            same: Whether the input is padded beforehand, as TensorFlow does for `SAME`.
        """
        # On no device nothing random is drawn.
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            cast("tuple[int, int]", conv.kernel_size),
            cast("tuple[int, int]", conv.stride),
            cast("tuple[int, int]", conv.padding),
            cast("tuple[int, int]", conv.dilation),
            conv.groups,
            bias=conv.bias is not None,
            device="meta",
        )
        self.weight, self.bias = conv.weight, conv.bias
        self._same = same
        self.train(conv.training)

    def forward(self, input: Tensor) -> Tensor:
        """Filter the channels of features `(B, C, h, w)`, each by itself."""
        features = input
        if self._same:
            from timm.layers.padding import pad_same

            sides = list(self.kernel_size), list(self.stride), list(self.dilation)
            features = pad_same(features, *sides)
        if features.device.type != "cpu" or not torch.is_grad_enabled():
            return self._conv_forward(features, self.weight, self.bias)
        if torch.is_autocast_enabled("cpu"):
            features = features.to(torch.get_autocast_dtype("cpu"))
        if features.dtype == torch.float32:
            return self._conv_forward(features, self.weight, self.bias)
        way = _Way(
            self.stride,
            cast("tuple[int, ...]", self.padding),
            self.dilation,
            self.groups,
            _slow_gradients(self),
        )
        return cast("Tensor", _Depthwise.apply(features, self.weight, self.bias, way))


class _Way(NamedTuple):
    """How a depthwise convolution goes over its input, and which of its gradients are slow."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    is_slow: tuple[bool, bool]


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution in the precision of its input, whose slow gradients are in fp32."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, way: _Way
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.way = way
        narrow = None if bias is None else bias.to(features.dtype)
        return F.conv2d(features, weight.to(features.dtype), narrow, *way[:4])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        (grad,) = grad_outputs
        features, weight = ctx.saved_tensors
        way: _Way = ctx.way

        def gradient(index: int) -> Tensor | None:
            if not ctx.needs_input_grad[index]:
                return None
            dtype = torch.float32 if way.is_slow[index] else features.dtype
            tensors = (tensor.to(dtype) for tensor in (grad, features, weight))
            mask = [index == 0, index == 1, False]
            return torch.ops.aten.convolution_backward(
                *tensors, None, *way[:3], False, (0, 0), way.groups, mask
            )[index]

        grad_bias = grad.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[2] else None
        return gradient(0), gradient(1), grad_bias, None
