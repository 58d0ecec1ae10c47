"""Depthwise convolutions with a fast backward pass in half precision on a CPU.

PyTorch has no fast kernels there for two gradients: that of the input where the stride is not 1,
and that of a weight larger than 3×3. They take up to a hundred times as long as the convolution.
PyTorch has fast kernels in fp32, so this module computes these two in fp32 (docs/performance.md).
"""

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Size of the largest weight whose gradient has a fast kernel in half precision.
_MAX_FAST_KERNEL = 3


def replace_slow_depthwise_convs(network: nn.Module) -> None:
    """Replace each depthwise convolution with slow gradients by a `DepthwiseConv2d`.

    Parameters, their names and the forward pass stay the same.
    """
    from timm.layers.conv2d_same import Conv2dSame

    for module in list(network.modules()):
        for name, child in module.named_children():
            # Other subclasses do more than a convolution.
            pad_same = type(child) is Conv2dSame
            if isinstance(child, nn.Conv2d) and (pad_same or type(child) is nn.Conv2d):
                depthwise = child.groups == child.in_channels > 1 and child.padding_mode == "zeros"
                if depthwise and any(_slow_gradients(child)):
                    setattr(module, name, DepthwiseConv2d(child, pad_same=pad_same))


def _slow_gradients(conv: nn.Conv2d) -> tuple[bool, bool]:
    """Return whether the gradient of the input is slow, and whether that of the weight is."""
    return max(conv.stride) > 1, max(conv.kernel_size) > _MAX_FAST_KERNEL


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that replaces another one and shares its parameters."""

    def __init__(self, conv: nn.Conv2d, *, pad_same: bool) -> None:
        """Take over the parameters of a convolution.

        Args:
            conv: A convolution with one group per input channel.
            pad_same: Pad the input as TensorFlow does for `SAME`.
        """
        # On the meta device, initialisation draws no random numbers.
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
        self.pads_same = pad_same
        self.train(conv.training)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve each channel of `(B, C, h, w)` with its own filter."""
        features = input
        if self.pads_same:
            from timm.layers.padding import pad_same

            sides = list(self.kernel_size), list(self.stride), list(self.dilation)
            features = pad_same(features, *sides)
        if features.device.type != "cpu" or not torch.is_grad_enabled():
            return self._conv_forward(features, self.weight, self.bias)
        if torch.is_autocast_enabled("cpu"):
            features = features.to(torch.get_autocast_dtype("cpu"))
        if features.dtype == torch.float32:
            return self._conv_forward(features, self.weight, self.bias)
        options = _ConvOptions(
            self.stride,
            cast("tuple[int, ...]", self.padding),
            self.dilation,
            self.groups,
            _slow_gradients(self),
        )
        return cast("Tensor", _Depthwise.apply(features, self.weight, self.bias, options))


class _ConvOptions(NamedTuple):
    """Options of a depthwise convolution, and which gradients are slow: input, weight."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    slow_gradients: tuple[bool, bool]


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution in the precision of its input, with slow gradients in fp32."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, options: _ConvOptions
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.options = options
        half_bias = None if bias is None else bias.to(features.dtype)
        return F.conv2d(features, weight.to(features.dtype), half_bias, *options[:4])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - once_differentiable is untyped
        ctx: Any, *grad_outputs: Any
    ) -> Any:
        (grad,) = grad_outputs
        features, weight = ctx.saved_tensors
        options: _ConvOptions = ctx.options

        def gradient(index: int) -> Tensor | None:
            if not ctx.needs_input_grad[index]:
                return None
            dtype = torch.float32 if options.slow_gradients[index] else features.dtype
            tensors = (tensor.to(dtype) for tensor in (grad, features, weight))
            mask = [index == 0, index == 1, False]
            return torch.ops.aten.convolution_backward(
                *tensors, None, *options[:3], False, (0, 0), options.groups, mask
            )[index]

        grad_bias = grad.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[2] else None
        return gradient(0), gradient(1), grad_bias, None
