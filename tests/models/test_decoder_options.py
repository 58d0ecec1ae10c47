"""Separable convolutions, dropout and hypercolumns equal slow references."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.models.decoders import encoder_unet
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.models.convolutions import double_conv, separable_double_conv
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.structure import mermaid_diagram, summarize_layers

ALL_OPTIONS: dict[str, Any] = {"block": "separable", "dropout": 0.1, "head_levels": 2}


def network(
    options: Mapping[str, Any] = MappingProxyType({}), stride: int = 4, name: str = "test_resnet"
) -> EncoderUNet:
    torch.manual_seed(0)
    return encoder_unet(Encoder(name, "none"), 5, (24, 16, 8), stride, **options)


def bilinear(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize `(h, w)` pixel by pixel; pixel centres are at half-integers."""
    resized = values.new_zeros(size)
    for row in range(size[0]):
        for column in range(size[1]):
            y = min(max((row + 0.5) * values.shape[0] / size[0] - 0.5, 0), values.shape[0] - 1)
            x = min(max((column + 0.5) * values.shape[1] / size[1] - 0.5, 0), values.shape[1] - 1)
            top, left = int(y), int(x)
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
                weight = abs(1 - i - (y - top)) * abs(1 - j - (x - left))
                neighbour = (min(top + i, values.shape[0] - 1), min(left + j, values.shape[1] - 1))
                resized[row, column] += weight * values[neighbour]
    return resized


@torch.no_grad()
def test_a_separable_convolution_equals_a_plain_one_of_lower_rank() -> None:
    torch.manual_seed(0)
    block = separable_double_conv(4, 6, 3).double().eval()
    image = torch.randn(2, 4, 9, 7).double()
    expected = image
    for index, depthwise, pointwise, norm, relu in ((i, *block[i : i + 4]) for i in (0, 4)):
        assert isinstance(depthwise, nn.Conv2d)
        assert isinstance(pointwise, nn.Conv2d)
        assert isinstance(relu, nn.ReLU), index
        dense = pointwise.weight * depthwise.weight[None, :, 0]
        expected = norm(F.conv2d(expected, dense, padding=1)).clamp(min=0)
    torch.testing.assert_close(block(image), expected)


@torch.no_grad()
def test_separable_convolutions_take_a_fraction_of_the_multiplications() -> None:
    multiply_adds = [
        sum(
            layer.multiply_adds
            for layer in summarize_layers(Segmenter(net), 64)
            if "decoder" in layer.name
        )
        for net in (network(), network({"block": "separable"}))
    ]
    assert multiply_adds[1] < multiply_adds[0] / 4


def test_dropout_drops_channels_of_the_head_input_only_in_training() -> None:
    segmenter = Segmenter(network({"dropout": 0.5}))
    image = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    dropped = (segmenter.features(image) == 0).all(dim=(2, 3))
    assert 0.25 < dropped.float().mean() < 0.75
    segmenter.eval()
    assert not (segmenter.features(image) == 0).all(dim=(2, 3)).any()
    plain = Segmenter(network()).eval()
    plain.load_state_dict(segmenter.state_dict())
    assert torch.equal(segmenter(image), plain(image))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "vgg11"])
@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_all_options_together_train_over_every_encoder(name: str, stride: int) -> None:
    segmenter = Segmenter(network(ALL_OPTIONS, stride, name))
    image = torch.randint(0, 256, (2, 3, 29, 64), dtype=torch.uint8)
    mask = torch.randint(0, 5, (2, 29, 64), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        output = segmenter(image, mask, CrossEntropy(CrossEntropyLoss(), 255))
    output.total.backward()
    for parameter_name, parameter in segmenter.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


def test_default_options_add_no_parameters() -> None:
    parts = {name.split(".")[0] for name in network().state_dict()}
    assert parts == {"encoder", "decoder", "head"}
    conv = double_conv(24 + 16, 8, 8)
    block = network().decoder[2]
    assert {name.removeprefix("conv.") for name in block.state_dict()} == set(conv.state_dict())


def test_the_diagram_shows_blocks_and_skip_connections() -> None:
    net = network()
    lines = mermaid_diagram(net.blocks()).splitlines()
    assert "    encoder_stage_32 --> decoder_1" in lines
    assert "    encoder_stage_16 -- skip --> decoder_1" in lines
    assert "    decoder_3 --> head" in lines
    assert "    head[head: 8→5, stride 4]" in lines
    nodes = {line.split("[")[0].strip() for line in lines if "[" in line}
    edges = [line for line in lines if "-->" in line]
    assert len(edges) == len(nodes) - 1 + 3
    deepest = net.blocks()[4]
    assert (deepest.name, deepest.out_channels) == ("encoder stage 32", 96)


@torch.no_grad()
def test_the_head_takes_coarser_levels_upsampled() -> None:
    unet = network({"head_levels": 3}).eval()
    image = torch.randn(1, 3, 64, 32)
    levels: list[Tensor] = []

    def keep(_block: nn.Module, _inputs: object, output: Tensor) -> None:
        levels.append(output)

    for block in unet.decoder:
        block.register_forward_hook(keep)
    features = unet.features(image)
    coarse, middle, fine = levels
    assert unet.head_channels == (8, 16, 24)
    assert torch.equal(features[:, :8], fine)
    size = (fine.shape[2], fine.shape[3])
    for channel in (0, 7, 15):
        torch.testing.assert_close(features[0, 8 + channel], bilinear(middle[0, channel], size))
    for channel in (0, 23):
        torch.testing.assert_close(features[0, 24 + channel], bilinear(coarse[0, channel], size))


def test_the_diagram_shows_all_levels_that_the_head_takes() -> None:
    diagram = mermaid_diagram(network({"head_levels": 3}).blocks())
    assert "head[head: 48→5, stride 4]" in diagram
    assert "decoder_2 -- skip --> head" in diagram
    assert "decoder_1 -- skip --> head" in diagram
    assert "decoder_3 --> head" in diagram


def test_more_head_levels_than_decoder_levels_are_refused() -> None:
    with pytest.raises(InputError, match=r"head_levels: found 4, expected at most 3"):
        network({"head_levels": 4})
