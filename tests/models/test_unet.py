"""The U-Net of figure 1 of the paper."""

import pytest
import torch
from torch import nn

import sceneparse
from sceneparse.models.convolutions import ConcatConv2d
from sceneparse.models.unet import UNet


def test_unet_has_the_parameters_of_the_original() -> None:
    network = sceneparse.UNet(num_classes=150)
    assert sum(parameter.numel() for parameter in network.parameters()) == 17_272_662


def test_unet_has_the_widths_of_the_original() -> None:
    widths = [(block.in_channels, block.out_channels) for block in UNet(150).blocks()]
    assert widths == [
        (3, 64),
        (64, 128),
        (128, 256),
        (256, 512),
        (512, 512),
        (1024, 256),
        (512, 128),
        (256, 64),
        (128, 64),
        (64, 150),
    ]


def test_only_the_head_of_the_unet_has_a_bias() -> None:
    convs = [module for module in UNet(150).modules() if isinstance(module, nn.Conv2d)]
    assert [conv.bias is not None for conv in convs] == [False] * 18 + [True]


def test_unet_halves_the_width_inside_a_decoder_block() -> None:
    layers = [m for m in UNet(150).decoder[0].modules() if isinstance(m, nn.Conv2d)]
    assert [(conv.in_channels, conv.out_channels) for conv in layers] == [(1024, 512), (512, 256)]


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 47), (50, 64)])
def test_unet_returns_logits_of_the_size_of_its_input(height: int, width: int) -> None:
    network = UNet(5, width=4).eval()
    assert network(torch.randn(2, 3, height, width)).shape == (2, 5, height, width)


def test_concat_conv_equals_a_convolution_of_the_concatenation() -> None:
    torch.manual_seed(0)
    concat_conv = ConcatConv2d(5, 4, 3, padding=1, bias=False).double()
    skip = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    features = torch.randn(2, 2, 6, 7, dtype=torch.float64)
    concatenated = torch.cat([skip, features], dim=1)
    expected = torch.nn.functional.conv2d(concatenated, concat_conv.weight, padding=1)
    torch.testing.assert_close(concat_conv(skip, features), expected, rtol=1e-12, atol=1e-12)
