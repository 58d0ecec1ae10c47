"""Separable convolutions, dropout, a head on several levels: against slow references."""

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
from sceneparse.models.block import mermaid
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.separable import separable_double_conv
from sceneparse.models.summary import layers_of
from sceneparse.models.unet import double_conv

EVERYTHING: dict[str, Any] = {"block": "separable", "dropout": 0.1, "head_levels": 2}


def network(
    options: Mapping[str, Any] = MappingProxyType({}), stride: int = 4, name: str = "test_resnet"
) -> EncoderUNet:
    torch.manual_seed(0)
    return encoder_unet(Encoder(name, "none"), 5, (24, 16, 8), stride, **options)


def bilinear(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize `(h, w)` place by place; centres are at half-integers."""
    resized = cells.new_zeros(size)
    for row in range(size[0]):
        for column in range(size[1]):
            y = min(max((row + 0.5) * cells.shape[0] / size[0] - 0.5, 0), cells.shape[0] - 1)
            x = min(max((column + 0.5) * cells.shape[1] / size[1] - 0.5, 0), cells.shape[1] - 1)
            top, left = int(y), int(x)
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
                weight = abs(1 - i - (y - top)) * abs(1 - j - (x - left))
                at = (min(top + i, cells.shape[0] - 1), min(left + j, cells.shape[1] - 1))
                resized[row, column] += weight * cells[at]
    return resized


@torch.no_grad()
def test_a_separable_convolution_is_a_plain_one_of_lower_rank() -> None:
    torch.manual_seed(0)
    block = separable_double_conv(4, 6, 3).double().eval()
    image = torch.randn(2, 4, 9, 7).double()
    expected = image
    for place, deep, over, norm, cut in ((i, *block[i : i + 4]) for i in (0, 4)):
        assert isinstance(deep, nn.Conv2d)
        assert isinstance(over, nn.Conv2d)
        assert isinstance(cut, nn.ReLU), place
        dense = over.weight * deep.weight[None, :, 0]
        expected = norm(F.conv2d(expected, dense, padding=1)).clamp(min=0)
    torch.testing.assert_close(block(image), expected)


@torch.no_grad()
def test_separable_convolutions_take_a_fraction_of_the_work() -> None:
    work = [
        sum(
            layer.multiply_adds
            for layer in layers_of(Segmenter(net), 64)
            if "decoder" in layer.name
        )
        for net in (network(), network({"block": "separable"}))
    ]
    assert work[1] < work[0] / 4


def test_dropout_hides_channels_from_the_head_in_training_alone() -> None:
    segmenter = Segmenter(network({"dropout": 0.5}))
    image = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    hidden = (segmenter.features(image) == 0).all(dim=(2, 3))
    assert 0.25 < hidden.float().mean() < 0.75
    segmenter.eval()
    assert not (segmenter.features(image) == 0).all(dim=(2, 3)).any()
    plain = Segmenter(network()).eval()
    plain.load_state_dict(segmenter.state_dict())
    assert torch.equal(segmenter(image), plain(image))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "vgg11"])
@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_all_options_together_train_on_every_pyramid(name: str, stride: int) -> None:
    segmenter = Segmenter(network(EVERYTHING, stride, name))
    image = torch.randint(0, 256, (2, 3, 29, 64), dtype=torch.uint8)
    mask = torch.randint(0, 5, (2, 29, 64), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        sums = segmenter(image, mask, CrossEntropy(CrossEntropyLoss(), 255))
    sums.total.backward()
    for parameter_name, parameter in segmenter.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


def test_without_options_nothing_is_added() -> None:
    parts = {name.split(".")[0] for name in network().state_dict()}
    assert parts == {"encoder", "decoder", "head"}
    conv = double_conv(24 + 16, 8, 8)
    block = network().decoder[2]
    assert {name.removeprefix("conv.") for name in block.state_dict()} == set(conv.state_dict())


def test_the_diagram_shows_what_was_built() -> None:
    net = network()
    lines = mermaid(net.blocks()).splitlines()
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
def test_the_head_sees_coarser_levels_upsampled() -> None:
    unet = network({"head_levels": 3}).eval()
    image = torch.randn(1, 3, 64, 32)
    levels: list[Tensor] = []

    def keep(_block: nn.Module, _given: object, found: Tensor) -> None:
        levels.append(found)

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


def test_a_head_that_sees_several_levels_is_drawn_so() -> None:
    drawn = mermaid(network({"head_levels": 3}).blocks())
    assert "head[head: 48→5, stride 4]" in drawn
    assert "decoder_2 -- skip --> head" in drawn
    assert "decoder_1 -- skip --> head" in drawn
    assert "decoder_3 --> head" in drawn


def test_more_levels_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match=r"head_levels: found 4, expected at most 3"):
        network({"head_levels": 4})
