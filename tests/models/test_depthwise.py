"""Depthwise convolutions have the gradients of others, in any precision."""

import copy
from typing import cast

import pytest
import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from sceneparse.models.depthwise import DepthwiseConv2d, with_fast_gradients
from sceneparse.models.encoder import Encoder

# Channels, kernel, stride, padding, dilation, whether there is a bias.
SHAPES = [
    (6, 3, 2, 1, 1, False),
    (6, 5, 1, 2, 1, False),
    (4, 5, 2, 2, 1, True),
    (4, 7, 1, 3, 1, True),
    (4, 5, 1, 4, 2, False),
]


def gradients(conv: nn.Module, image: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Return output, and the gradients of the input and of each parameter, under autocast."""
    image = image.detach().requires_grad_()
    conv.zero_grad()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        output = conv(image)
    output.float().square().sum().backward()
    assert image.grad is not None
    return [output, image.grad, *(p.grad for p in conv.parameters() if p.grad is not None)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("channels", "kernel", "stride", "padding", "dilation", "bias"), SHAPES)
def test_gradients_are_as_near_to_fp64_as_half_precision_allows(
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
    fast = DepthwiseConv2d(copy.deepcopy(plain), same=False)
    image = torch.randn(2, channels, 17, 12)
    exact = gradients(copy.deepcopy(plain).double(), image.double(), torch.float32)
    for found, usual, expected in zip(
        gradients(fast, image, dtype), gradients(plain, image, dtype), exact, strict=True
    ):
        error, usual_error = (
            (result.double() - expected).norm() / expected.norm() for result in (found, usual)
        )
        assert error <= max(1.05 * usual_error, torch.finfo(dtype).eps)


def test_what_comes_out_and_fp32_gradients_are_the_very_same() -> None:
    torch.manual_seed(0)
    plain = Conv2dSame(6, 6, 5, stride=2, groups=6, bias=False)
    fast = DepthwiseConv2d(cast("nn.Conv2d", copy.deepcopy(plain)), same=True)
    image = torch.randn(2, 6, 15, 20)
    for found, expected in zip(
        gradients(fast, image, torch.float32), gradients(plain, image, torch.float32), strict=True
    ):
        assert torch.equal(found, expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast(image), plain(image))
        with torch.no_grad():
            assert torch.equal(fast(image), plain(image))


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    fast = DepthwiseConv2d(nn.Conv2d(4, 4, 5, stride=2, groups=4), same=False)
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
def test_an_encoder_keeps_its_names_and_its_random_numbers(name: str) -> None:
    torch.manual_seed(3)
    usual = timm.create_model(name, features_only=True)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    ours = Encoder(name, "none")
    assert torch.equal(torch.rand(1), drawn)
    expected, found = usual.state_dict(), ours.body.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    replaced = [module for module in ours.modules() if isinstance(module, DepthwiseConv2d)]
    assert replaced
    assert all(max(conv.stride) > 1 or max(conv.kernel_size) > 3 for conv in replaced)
    image = torch.rand(1, 3, 64, 96)
    for stage, other in zip(ours.eval()(image), usual.eval()(image), strict=True):
        assert torch.equal(stage, other)


def test_other_convolutions_stay() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 5, groups=2), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(1, 4, 5)
    )
    with_fast_gradients(network)
    assert [type(layer) for layer in network] == 3 * [nn.Conv2d]
