"""`DepthwiseConv2d` equals `nn.Conv2d`, forward and backward, in any precision."""

import copy
from typing import cast

import pytest
import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from sceneparse.models.depthwise import DepthwiseConv2d, replace_slow_depthwise_convs
from sceneparse.models.encoder import Encoder

# channels, kernel, stride, padding, dilation, bias
SHAPES = [
    (6, 3, 2, 1, 1, False),
    (6, 5, 1, 2, 1, False),
    (4, 5, 2, 2, 1, True),
    (4, 7, 1, 3, 1, True),
    (4, 5, 1, 4, 2, False),
]


def gradients(conv: nn.Module, image: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Return the output and the gradients of input and parameters, under autocast."""
    image = image.detach().requires_grad_()
    conv.zero_grad()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        output = conv(image)
    output.float().square().sum().backward()
    assert image.grad is not None
    return [output, image.grad, *(p.grad for p in conv.parameters() if p.grad is not None)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("channels", "kernel", "stride", "padding", "dilation", "bias"), SHAPES)
def test_gradients_are_as_exact_as_those_of_pytorch(
    channels: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    bias: bool,
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, channels, bias)
    fast = DepthwiseConv2d(copy.deepcopy(plain), pad_same=False)
    image = torch.randn(2, channels, 17, 12)
    exact = gradients(copy.deepcopy(plain).double(), image.double(), torch.float32)
    for found, of_pytorch, expected in zip(
        gradients(fast, image, dtype), gradients(plain, image, dtype), exact, strict=True
    ):
        error, pytorch_error = (
            (result.double() - expected).norm() / expected.norm() for result in (found, of_pytorch)
        )
        assert error <= max(1.05 * pytorch_error, torch.finfo(dtype).eps)


def test_outputs_and_fp32_gradients_are_bit_identical() -> None:
    torch.manual_seed(0)
    plain = Conv2dSame(6, 6, 5, stride=2, groups=6, bias=False)
    fast = DepthwiseConv2d(cast("nn.Conv2d", copy.deepcopy(plain)), pad_same=True)
    image = torch.randn(2, 6, 15, 20)
    for found, expected in zip(
        gradients(fast, image, torch.float32), gradients(plain, image, torch.float32), strict=True
    ):
        assert torch.equal(found, expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast(image), plain(image))
        with torch.no_grad():
            assert torch.equal(fast(image), plain(image))


def test_a_frozen_weight_gets_no_gradient() -> None:
    fast = DepthwiseConv2d(nn.Conv2d(4, 4, 5, stride=2, groups=4), pad_same=False)
    fast.weight.requires_grad_(False)
    image = torch.randn(1, 4, 9, 9, dtype=torch.bfloat16, requires_grad=True)
    fast(image).sum().backward()
    assert image.grad is not None
    assert fast.weight.grad is None
    assert fast.bias is not None
    assert fast.bias.grad is not None


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "convnext_atto", "mobilenetv3_small_050"]
)
def test_replacing_keeps_parameter_names_and_random_numbers(name: str) -> None:
    torch.manual_seed(3)
    original = timm.create_model(name, features_only=True)
    next_number = torch.rand(1)
    torch.manual_seed(3)
    ours = Encoder(name, "none")
    assert torch.equal(torch.rand(1), next_number)
    expected, found = original.state_dict(), ours.body.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    replaced = [module for module in ours.modules() if isinstance(module, DepthwiseConv2d)]
    assert replaced
    assert all(max(conv.stride) > 1 or max(conv.kernel_size) > 3 for conv in replaced)
    image = torch.rand(1, 3, 64, 96)
    for stage, expected_stage in zip(ours.eval()(image), original.eval()(image), strict=True):
        assert torch.equal(stage, expected_stage)


def test_other_convolutions_are_not_replaced() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 5, groups=2), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(1, 4, 5)
    )
    replace_slow_depthwise_convs(network)
    assert [type(layer) for layer in network] == 3 * [nn.Conv2d]
